"""Mistakes that a user can make and mend: each is one sentence fit for a screen."""


class UserError(ValueError):
    """What is wrong, its value, the rule, and what to do; shown word for word."""


class ConfigError(UserError):
    """A setup that cannot be built."""


class TextError(UserError):
    """A text that cannot be used."""


class CheckpointError(UserError):
    """A folder that cannot be read, or a model that cannot be written in the wanted format."""


class TrainingError(UserError):
    """A run that cannot go on."""
