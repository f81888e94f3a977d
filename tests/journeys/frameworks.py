"""LangChain's and LlamaIndex's OpenAI classes against the server at argv[1]; prints what they saw as JSON.

Runs in an environment of its own, where Weighbridge is not installed.
"""

import json
import sys

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

base_url = sys.argv[1]
seen = {}


@tool
def weather(place: str) -> str:
    """Return the weather of a place."""
    return f"rain in {place}"


chain = ChatOpenAI(base_url=base_url, api_key="unused", model="auto")
seen["langchain"] = chain.invoke("Hello?").content
seen["langchain_streamed"] = "".join(piece.content for piece in chain.stream("Hello?"))
seen["langchain_calls"] = [
    [call["id"], call["args"]] for call in chain.bind_tools([weather]).invoke("The weather?").tool_calls
]

index = OpenAILike(api_base=base_url, api_key="unused", model="auto", is_chat_model=True)
asked = [ChatMessage(role="user", content="Hello?")]
seen["llama_index"] = index.chat(asked).message.content
seen["llama_index_streamed"] = "".join(piece.delta or "" for piece in index.stream_chat(asked))
print(json.dumps(seen))
