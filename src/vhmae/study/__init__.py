"""The user study (Sec. 4.5, Fig. 7): people rank unnamed results of several methods; extra
``vhmae[web]``."""
