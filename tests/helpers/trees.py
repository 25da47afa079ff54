"""Folders of files that tests make."""
import os


def put(top, files):
    """The folder with these files in it, bytes or text by their paths below it."""
    os.makedirs(top, exist_ok=True)
    for path, text in files.items():
        path = os.path.join(top, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    return top
