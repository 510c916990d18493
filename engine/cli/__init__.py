"""The command line: one file a command, each imported only when it is called."""

from engine.later import call_later, import_later, look_up_the_system_by_name

# jinja2's cache on disk and platformdirs' temporary directories want the first, which wants the
# second, and msgspec's schemas want the third.
call_later("tempfile", "gettempdir", "TemporaryFile")
import_later("shutil")
import_later("textwrap")

look_up_the_system_by_name()
