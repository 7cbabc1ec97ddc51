"""The app's endpoints as tools of the Model Context Protocol, where its package is installed."""

import asyncio

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from served import command_line, free_port, served

TOOLS = ("size_chart", "position_chart", "compare", "training", "claims", "read_along", "open_csv")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("mcp"), free_port()
    with served(command_line("space", "--no-browser", "--port", str(port)), folder=folder, cwd=folder, port=port) as app:
        yield f"{app.url}gradio_api/mcp/"


async def asked(address: str, name: str | None = None, **arguments):
    """The tools, or one tool's answer."""
    async with streamable_http_client(address) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        return await session.list_tools() if name is None else await session.call_tool(name, arguments)


def test_useful_endpoints_are_tools_with_descriptions(address):
    tools = {tool.name: tool for tool in asyncio.run(asked(address)).tools}
    assert sorted(tools) == sorted(TOOLS)
    for tool in tools.values():
        assert (tool.description or "").strip().endswith("."), tool.name


def test_tool_answers_with_the_numbers_of_the_shipped_study(address):
    answer = asyncio.run(asked(address, "claims"))
    assert not answer.isError
    assert "verdict" in answer.content[0].text
