"""The command line's one application, which the other files of the room add their commands to."""

from cyclopts import App, Parameter

import trainwell

app = App(
    name="trainwell",
    help="Trains deep neural networks well, by the recipe, and shows its work.",
    version=lambda: trainwell.__version__,
    default_parameter=Parameter(negative=(), show_default=False),
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
