"""Taking rows home: files in many formats, written whole or not at all."""

from tui.store.export.options import FORMATS, ExportOptions, Format, format_of
from tui.store.export.tables import CSV_COLUMNS, safe_cell
from tui.store.export.writing import export_rows

__all__ = [
    "CSV_COLUMNS",
    "FORMATS",
    "ExportOptions",
    "Format",
    "export_rows",
    "format_of",
    "safe_cell",
]
