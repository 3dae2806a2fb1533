"""``vhmae app``: a page on which a person sees a composite, says what is wrong with it and takes
the result away (extra ``vhmae[web]``)."""
