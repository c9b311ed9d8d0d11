#!/bin/sh
# Finds a Chromium-like browser, or installs Debian's where that is possible. Never fails: without a browser the
# demo says what to do and runs a smaller example.
set -u
for name in "${MUSCLE_MEM_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable microsoft-edge; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        echo "browser: $(command -v "$name")"
        exit 0
    fi
done
for app in "/Applications/Google Chrome.app" "/Applications/Chromium.app" "/Applications/Microsoft Edge.app"; do
    if [ -d "$app" ]; then
        echo "browser: $app"
        exit 0
    fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "browser: none found; installing the chromium package (some minutes, once)"
    if apt-get update -qq >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1; then
        echo "browser: $(command -v chromium)"
        exit 0
    fi
    echo "browser: the package could not be installed"
else
    echo "browser: none found, and none may be installed from here; on Debian: apt-get install chromium"
fi
exit 0
