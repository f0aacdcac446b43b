"""The errors that commands and the server must tell apart from a defect."""


class DataError(ValueError):
    """Something a user gave cannot be used; the message says what, where, and what to do."""


class ShareError(DataError):
    """One of several processes met what the others did not, and must say so itself."""
