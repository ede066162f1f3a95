"""The one exception that is meant for the person at the keyboard."""


class SurgeryError(Exception):
    """Something a user can put right; its text says what is wrong, where, and what is allowed."""
