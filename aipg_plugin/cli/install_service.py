"""`aipg install-service`: run the guard as a hardened systemd service."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from aipg_plugin.errors import UsageError
from aipg_plugin.settings.loader import load

EPILOG = """examples:
  aipg install-service guard.yaml --print                                  look at the unit first
  sudo aipg install-service guard.yaml                                     write it, then start it as it says
  sudo aipg install-service guard.yaml --credential LOBBY_PASSWORD=/root/lobby.password

The service runs under a user of its own. Its settings are /var/lib/aipg/guard.yaml (a copy of CONFIG), and it may write
nowhere else: put recordings below /var/lib/aipg, or add ReadWritePaths= with `systemctl edit aipg`.
A --credential is what ${NAME} in the settings stands for; it reaches the service as a file, not in the environment."""
UNIT_DIR = Path("/etc/systemd/system")
STATE_DIR = Path("/var/lib/aipg")
_CREDENTIAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=/.+")

# Directives are described in systemd.exec(5); `systemd-analyze security` rates the whole below 2 ("OK").
_UNIT = """\
[Unit]
Description=AI Privacy Guard: hides people in fisheye video
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart={aipg} run {state}/guard.yaml
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
{credentials}DynamicUser=yes
StateDirectory=aipg
StateDirectoryMode=0700
WorkingDirectory={state}
Environment=HOME={state}
UMask=0077
SupplementaryGroups=video render
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-drm rw
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome={protect_home}
PrivateTmp=yes
PrivateUsers=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=setpriority
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg install-service`."""
    parser.epilog = EPILOG
    parser.add_argument("config", metavar="CONFIG", help="YAML configuration to run")
    parser.add_argument("--print", dest="only_print", action="store_true", help="print the unit and change nothing")
    parser.add_argument("--credential", action="append", default=[], metavar="NAME=FILE",
                        help="file that holds the value of ${NAME} in the settings (may be repeated)")


def run(options: argparse.Namespace) -> int:
    """Print the unit, or write it and copy the settings. Raises SettingsError or UsageError."""
    unit = unit_text(aipg_command(), options.credential)
    if options.only_print:
        print(unit, end="")
        return 0
    load(Path(options.config), environ=_environment(options.credential))
    settings, text = STATE_DIR / "guard.yaml", Path(options.config).read_bytes()
    try:
        (UNIT_DIR / "aipg.service").write_text(unit, encoding="utf-8")
        STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.exists() and settings.read_bytes() != text:
            shutil.copy2(settings, settings.with_suffix(".yaml.before"))
        settings.write_bytes(text)
        settings.chmod(0o600)
    except OSError as error:
        raise UsageError("{file} cannot be written: {why}", file=str(error.filename), why=error.strerror or "?",
                         cure="Run it as root, or use --print") from error
    print(f"wrote {UNIT_DIR / 'aipg.service'} and {settings}\n"
          "start it:   systemctl daemon-reload && systemctl enable --now aipg\n"
          "watch it:   journalctl -fu aipg")
    return 0


def aipg_command() -> Path:
    """The `aipg` of this installation. Raises UsageError where it has none."""
    command = Path(sys.executable).with_name("aipg")
    if not command.exists():
        raise UsageError("{file} does not exist", file=str(command), cure="Install aipg with pip, pipx or uv tool")
    return command


def unit_text(aipg: Path, credentials: list[str]) -> str:
    """The systemd unit. Raises UsageError for a credential that is not NAME=/file."""
    for credential in credentials:
        if not _CREDENTIAL.fullmatch(credential):
            raise UsageError("--credential: {value!r} is not NAME=/absolute/file", value=credential,
                             cure="For example LOBBY_PASSWORD=/root/lobby.password")
    lines = "".join(f"LoadCredential={credential.replace('=', ':', 1)}\n" for credential in credentials)
    in_home = aipg.parts[1:2] in (("home",), ("root",))  # an installation of pipx lies in a home directory
    return _UNIT.format(aipg=aipg, state=STATE_DIR, credentials=lines, protect_home="read-only" if in_home else "yes")


def _environment(credentials: list[str]) -> dict[str, str]:
    """The environment as the service will see it: credentials are read from their files."""
    values = dict(os.environ)
    for credential in credentials:
        name, _, file = credential.partition("=")
        values[name] = Path(file).read_text(encoding="utf-8").rstrip("\n")
    return values
