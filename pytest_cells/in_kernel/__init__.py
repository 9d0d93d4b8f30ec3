"""Code that runs inside the kernel: the standard library alone, shipped as text, imported by nothing of ours."""
