"""What is installed only where it is asked for: which extra brings it is said in one sentence."""

from importlib.util import find_spec

from trainwell.errors import InputError


def require(extra: str, *modules: str) -> None:
    """`InputError` that names the extra where one of its modules is not installed.

    >>> require("serve", "json")
    >>> require("serve", "json", "no_such_module")
    Traceback (most recent call last):
    trainwell.errors.InputError: no_such_module is not installed: pip install 'trainwell[serve]' brings it.
    """
    for module in modules:
        if find_spec(module) is None:
            raise InputError(f"{module} is not installed: pip install 'trainwell[{extra}]' brings it.")
