"""The edge of the process: errors become one sentence and an exit code, never a traceback.

Exit codes: 0 done, 1 a fault of this program, 2 something about the request, 130 Ctrl-C,
143 SIGTERM. Must not know the commands.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence

from napari_beadscope.cli.interrupts import Interrupted, watching
from napari_beadscope.core.errors import BeadscopeError

_BUG, _REFUSED = 1, 2


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    verbose = bool({"--verbose", "-v"} & set(arguments))
    as_json = "--json" in arguments
    _set_up_logging(verbose)
    try:
        with watching():
            return _invoke(arguments)
    except BeadscopeError as error:
        return _refuse(str(error), type(error).__name__, as_json, verbose)
    except Interrupted as error:
        return _refuse(str(error), "Interrupted", as_json, False, error.exit_code)
    except BrokenPipeError:  # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        text = f"the system refuses: {error.strerror or error}{place}"
        return _refuse(text, "OSError", as_json, verbose)
    except Exception as error:  # noqa: BLE001  the process boundary: report, then end
        text = f"this is a fault of the program ({type(error).__name__}: {error})"
        hint = "" if verbose else "; run it again with --verbose and report what it says"
        return _refuse(text + hint, type(error).__name__, as_json, verbose, _BUG)


def _invoke(arguments: Sequence[str]) -> int:
    import typer

    from napari_beadscope.cli.app import app

    command = typer.main.get_command(app)
    try:
        value = command.main(list(arguments), prog_name="beadscope", standalone_mode=False)
    except Exception as error:
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        return _usage(error, str(message()), "--json" in arguments)
    return value if isinstance(value, int) else 0


def _usage(error: Exception, message: str, as_json: bool) -> int:
    """Say what is wrong with the command line itself; typer's own words take a screen."""
    context = getattr(error, "ctx", None)
    name = context.command_path if context is not None else "beadscope"
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        sys.stderr.write(f"{context.get_help()}\n")
        return _REFUSED
    sentence = " ".join(message.split()).rstrip(".")
    return _refuse(f"{sentence}: see {name} --help", "UsageError", as_json, False)


def _refuse(text: str, kind: str, as_json: bool, with_traceback: bool, code: int = _REFUSED) -> int:
    if with_traceback:
        traceback.print_exc()
    sentence = " ".join(text.split())
    if as_json:
        from napari_beadscope.cli.output import Output

        Output(as_json).result({"error": sentence, "kind": kind}, ())
    sys.stderr.write(f"beadscope: {sentence}\n")
    return code


def _set_up_logging(verbose: bool) -> None:
    """Log to standard error in verbose mode; else only what is written for the user shows."""
    logging.captureWarnings(True)
    if verbose:
        logging.basicConfig(
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        logging.getLogger("napari_beadscope").setLevel(logging.DEBUG)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
