"""Import every command of the manifest and open every widget in a real viewer.

    xvfb-run python tools/open_widgets.py

For a clean environment with napari: needs no pytest.  Exits with 1 and the reason.
"""

from __future__ import annotations

import importlib
import sys

PLUGIN = "napari-sem-tools"


def main() -> None:
    """Open the viewer, every command and every widget, and close them again."""
    import napari
    import npe2
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer()
    manifest = npe2.PluginManager.instance().get_manifest(PLUGIN)
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        getattr(importlib.import_module(module), name)
    print(len(manifest.contributions.commands), "commands import")
    for sample in manifest.contributions.sample_data or []:
        viewer.open_sample(PLUGIN, sample.key)
        print("sample", sample.key, [layer.name for layer in viewer.layers])
        viewer.layers.clear()
        QApplication.processEvents()
    for widget in manifest.contributions.widgets or []:
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, widget.display_name)
        QApplication.processEvents()
        if not dock.isVisible():
            sys.exit(f"{widget.display_name} does not show")
        print("widget", widget.display_name)
        viewer.window.remove_dock_widget(dock)
    if "torch" in sys.modules:
        sys.exit("opening the widgets imported torch")
    viewer.close()


if __name__ == "__main__":
    main()
