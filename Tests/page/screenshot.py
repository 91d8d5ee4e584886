#!/usr/bin/env python3
"""Takes pictures of the page, light and dark: `screenshot.py URL OUTPUT-DIRECTORY`. URL may be a one-time link of a running host;
without one the scripted sample is shown. Exit code 77 where there is no Chromium."""

import argparse
import contextlib
import pathlib
import sys

import chrome


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the page in light and dark, wide and narrow.")
    parser.add_argument("--url", help="the page, or a one-time link to it; a scripted sample otherwise")
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    if chrome.find() is None:
        print("skipped: Chromium is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 77
    options.directory.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        url = options.url
        if url is None:
            import sample
            from fake_host import Running

            url = stack.enter_context(Running(sample.busy_host())).url + "/"
        browser = stack.enter_context(chrome.Browser(1440, 1000))
        browser.open(url)
        browser.until("document.querySelector('#live')?.dataset.state === 'live'")
        for theme in ("light", "dark"):
            browser.scheme(theme)
            for name, size in (("wide", (1440, 1000)), ("narrow", (360, 1400))):
                browser.resize(*size)
                browser.js("new Promise((done) => setTimeout(done, 700))")
                path = options.directory / f"page-{theme}-{name}.png"
                browser.screenshot(path)
                print(path)
        for text in browser.complaints():
            print(f"console: {text}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
