"""The one door to Bokeh's embedding: a document of figures as JSON that BokehJS builds.

``bokeh.embed.util`` is no public interface; where another version calls it otherwise, this
module is all that changes.
"""

from collections.abc import Mapping
from typing import Any

from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items

__all__ = ["serialized"]


def serialized(document: Document, elements: Mapping[str, str], **more: Any) -> bytes:
    """Return ``document`` as JSON for ``Bokeh.embed.embed_items``, with ``more`` keys.

    ``elements`` are the ids of the page's elements by those of the figures to be in them.
    """
    docs, items = standalone_docs_json_and_render_items(document)
    rendered = [item.to_json() | {"roots": dict(elements)} for item in items]
    return serialize_json({"docs": docs, "items": rendered, **more}).encode()
