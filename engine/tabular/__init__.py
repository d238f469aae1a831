"""Reading tables as people have them: CSV in any dialect, Excel, Parquet.

Called by the table block, by the inspection of uploads and by prediction on tables. Everything that is guessed is
said (``detected``) and can be set instead (``options``). Needs numpy and pyarrow; must not know blocks or runs.
"""

from engine.tabular.options import Finding, TableOptions
from engine.tabular.read import TableRead, read_table

__all__ = ["Finding", "TableOptions", "TableRead", "read_table"]
