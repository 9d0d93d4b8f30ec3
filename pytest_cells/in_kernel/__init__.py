"""What runs inside kernels, as files: nothing here is imported by the rest."""

from pathlib import Path

AGENT = Path(__file__).with_name("agent.py")
AGENT_MODULE = "_pytest_cells_agent"
"""The agent's name among the kernel's modules."""
FORK_SERVER = Path(__file__).with_name("fork_server.py")
