"""The extension itself: its settings and its routes.

Called by Jupyter's server. The key to the studio stays in the server process: no route hands it out.
"""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from deepseek.client import Studio
from notebooks_ext.handlers import RunsHandler, StatusHandler


class StudioExtension(ExtensionApp):
    """Connects a Jupyter server to a studio."""

    name = "notebooks_ext"
    app_name = "DeepSeek Studio"
    description = "Shows notebooks the runs of a studio."
    extension_url = "/deepseek/status"
    load_other_extensions = True

    studio_url = Unicode(
        "",
        config=True,
        help="Address of the studio; when empty, what `deepseek config set` keeps or DEEPSEEK_STUDIO_URL.",
    )
    project = Unicode("", config=True, help="Project whose runs are shown; when empty, the first one.")

    def initialize_handlers(self) -> None:
        """Add the routes."""
        options = {"connect": self.connect}
        self.handlers.extend(
            [
                (r"/deepseek/status", StatusHandler, options),
                (r"/deepseek/runs", RunsHandler, options),
            ]
        )

    def connect(self) -> Studio:
        """A connection to the studio; the caller closes it.

        Raises
        ------
        DeepSeekError
            When no studio or no key is configured.
        """
        return Studio(self.studio_url or None, project=self.project or None, patience_s=0)
