"""What the user study and the review of composites share: database, application, sessions, guards
(extra ``vhmae[web]``)."""
