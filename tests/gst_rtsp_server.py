"""An RTSP server for tests, run with the system's Python: clients publish to /<name> and others play it.

    /usr/bin/python3 gst_rtsp_server.py PORT FILE [--play] [--digest USER PASSWORD | --basic USER PASSWORD]

It writes what is published at /camera to FILE, or with `--play` serves that file's H.264 there.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def recorder(path):
    """A factory that takes what clients publish and writes it to `path` as MPEG-TS."""
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(f"( rtph264depay name=depay0 ! h264parse ! mpegtsmux ! filesink sync=false location={path} )")
    factory.set_latency(0)
    return factory


def player(path):
    """A factory that plays a file's H.264 without decoding it; each client sees it from its start."""
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(f"( filesrc location={path} ! qtdemux ! h264parse config-interval=-1 ! rtph264pay name=pay0 )")
    factory.set_shared(False)
    return factory


def guard(server, factory, scheme, user, password):
    """Ask for a user name and password."""
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "user")
    if scheme == "--digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_role("user")
    for right in ("access", "construct"):
        permissions.add_permission_for_role("user", "media.factory." + right, True)
    factory.set_permissions(permissions)
    server.set_auth(auth)


def main():
    Gst.init(None)
    port, path = sys.argv[1], sys.argv[2]
    playing = "--play" in sys.argv
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    # publishing deadlocks with the default single thread: the request waits for data that the same thread reads
    pool = GstRtspServer.RTSPThreadPool.new()
    pool.set_max_threads(4)
    server.set_thread_pool(pool)
    factory = player(path) if playing else recorder(path)
    for scheme in ("--digest", "--basic"):
        if scheme in sys.argv:
            guard(server, factory, *sys.argv[sys.argv.index(scheme):][:3])
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
