"""Where a run took place: processor, kernel, compilers, and the versions of all that took part.

It names no host.
"""

import json
import os
import pathlib
import platform
import subprocess

NO_GOVERNOR = "not visible, as in most virtual machines"

# What to show -> the Debian packages that may hold it.
PACKAGES = {
    "libev": ["libev-dev"],
    "libevent": ["libevent-dev"],
    "Boost": ["libboost-context1.74.0", "libboost-context-dev"],
    "Boost.Fiber": ["libboost-fiber1.74-dev", "libboost-fiber-dev"],
    "Google Benchmark": ["libbenchmark-dev"],
    "glibc": ["libc6"],
    "libstdc++": ["libstdc++6"],
    "Asio": ["libasio-dev"],
    "libuv": ["libuv1-dev"],
    "Tokio": ["librust-tokio-dev"],
    "uvloop": ["python3-uvloop"],
}


# Those may come from elsewhere; they say themselves which they are.
TOOLS = {
    "Go": ["go", "version"],
    "Rust": ["rustc", "--version"],
    "Python": ["python3", "--version"],
}


def describe(build, processor):
    """What a reader needs to judge a run: a label and a text for each fact."""
    return {
        **hardware(processor),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "compilers": compilers(build),
        "build": options(build),
        "source": output("git", "-C", str(pathlib.Path(__file__).parent), "describe", "--always",
                         "--dirty") or "not from git",
        "versions": versions(),
    }  # fmt: skip


def hardware(processor):
    return {
        "processor": cpu_model(read("/proc/cpuinfo")),
        "processors": f"{os.cpu_count()}; the benchmarks were pinned to number {processor}",
        "governor": governor(processor) or NO_GOVERNOR,
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }


def governor(processor):
    """What chooses its frequency; nothing where that is not visible."""
    return read(f"/sys/devices/system/cpu/cpu{processor}/cpufreq/scaling_governor").strip()


def cpu_model(cpuinfo):
    for line in cpuinfo.splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def compilers(build):
    """The first line that each C++ compiler of the build says of itself.  A custom target's command
    stands in the same place, and is none."""
    targets = json.loads(read(build / "meson-info" / "intro-targets.json") or "[]")
    used = {
        tuple(sources["compiler"])
        for target in targets
        for sources in target["target_sources"]
        if sources["language"] == "cpp"
    }
    first_lines = {output(*command, "--version").split("\n")[0] for command in used}
    return ", ".join(sorted(filter(None, first_lines))) or "unknown"


def options(build):
    """The build options that change what is measured."""
    listed = json.loads(read(build / "meson-info" / "intro-buildoptions.json") or "[]")
    shown = ("buildtype", "optimization", "b_lto", "b_ndebug", "cpp_args", "cpp_std")
    values = {option["name"]: option["value"] for option in listed if option["name"] in shown}
    return ", ".join(f"{name}={words(value)}" for name, value in values.items() if words(value))


def words(value):
    return " ".join(value) if isinstance(value, list) else str(value).lower()


def versions():
    """The version of each library and peer that is installed."""
    found = {}
    for label, packages in PACKAGES.items():
        lines = output("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}\n", *packages)
        installed = [line.split(" ", 1)[1] for line in lines.split("\n") if line[:9] == "installed"]
        if installed:
            found[label] = installed[0]
    for label, command in TOOLS.items():
        if said := output(*command):
            found[label] = said
    return found


def read(path):
    """A file's text, or nothing where there is none."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def output(*command):
    """What a command says, or nothing where there is no such command or it fails."""
    try:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        ).stdout.strip()
    except OSError:
        return ""
