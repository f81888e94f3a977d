"""The wire: bodies in, decisions and answers out, errors in OpenAI's shape."""
