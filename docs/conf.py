"""Sphinx configuration; builds without a network."""

from typing import Any

from muonscope import __version__

project = "muonscope"
author = "The muonscope developers"
copyright = "2026, the muonscope developers"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"muonscope {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = False

# Names of other projects, and type aliases: nothing is fetched to resolve them.
nitpick_ignore_regex = [
    (r"py:.*", r"(numpy|np|npt|pa|pyarrow|hist|collections|typing)\..*"),
    (r"py:.*", r"(IntArray|Words|Any|Iterator|Iterable|Sequence|optional)"),
    (r"py:class", r"muonscope\.words\.rejects\.Rejects|Rejects|Detector|DetectorError|T"),
    (r"py:class", r"muonscope\.transports\.(kafka\.options\.KafkaOptions|base\.SourceStatus)"),
    (r"py:.*", r"muonscope\.(wording|counting\.(blocks\.BLOCKS|fused|panes\.Panes|hits\.Hits))"),
    (r"py:class", r"muonscope\.(events\.Event|counting\.block\.Block)"),
    (r"py:class", r"muonscope\.quality\.track_reference\.TrackReference"),
    (r"py:class", r"muonscope\.tracking\.cabling\.Cabling"),
    (r"py:class", r"muonscope\.archiving\.(folders|catalogue|windows_file|run_file)\..*"),
    (r"py:class", r"os\.PathLike"),
]


def _is_no_type(*event: Any) -> None:
    """Keep napoleon from reading ``Shape (n,): words`` below a field as a type.

    It looks for a colon in the first line only, so an empty one is put before.
    """
    what, lines = event[1], event[-1]
    if what in {"attribute", "data", "property"} and any(lines):
        lines.insert(0, "\\ ")


def setup(app: Any) -> None:
    """Run before napoleon."""
    app.connect("autodoc-process-docstring", _is_no_type, priority=400)
