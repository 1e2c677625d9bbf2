"""Errors whose text is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend: the message is one clear sentence that names the file or the setting.

    Everything else that escapes is a bug, and is logged with its traceback.
    """
