"""The one error that the command and the server must tell apart from a defect."""


class DataError(ValueError):
    """Something a user gave cannot be used; the message says what, where, and what to do."""
