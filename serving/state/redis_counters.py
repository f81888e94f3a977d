"""The counters in Redis or Valkey, for several processes that share one budget: `weighbridge[redis]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from serving.state.counters import Claim, CountersEmptyError, CountersUnavailableError, Taken

# One slot of a cluster, so that a script may touch all of them.
_PREFIX = "{weighbridge-budgets}:"
# Set once the counters hold what the log knows: where it is missing, so are they.
_READY = f"{_PREFIX}ready"
# How Redis answers while it cannot tell, though it can be reached.
_LOST = "weighbridge-counters-empty"

# Lua counts in doubles, which are exact up to 2^53: nanodollars up to nine million dollars.
_RESERVE = f"""
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('{_LOST}') end
local granted = 1
for place = 2, #KEYS do
  local total = tonumber(redis.call('GET', KEYS[place]) or '0')
  if total + tonumber(ARGV[1]) > tonumber(ARGV[2 * place - 2]) then granted = 0 end
end
local answer = {{granted}}
for place = 2, #KEYS do
  if granted == 1 then
    redis.call('INCRBY', KEYS[place], ARGV[1])
    redis.call('EXPIREAT', KEYS[place], ARGV[2 * place - 1])
  end
  answer[place] = tonumber(redis.call('GET', KEYS[place]) or '0')
end
return answer
"""

_SETTLE = f"""
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('{_LOST}') end
local answer = {{}}
for place = 2, #KEYS do
  local total = tonumber(redis.call('GET', KEYS[place]) or '0')
  if ARGV[1] ~= '0' then
    total = math.max(total + tonumber(ARGV[1]), 0)
    redis.call('SET', KEYS[place], string.format('%.0f', total))
    redis.call('EXPIREAT', KEYS[place], ARGV[2 * place - 1])
  end
  answer[place - 1] = total
end
return answer
"""

_RAISE = """
redis.call('SET', KEYS[1], '1')
local answer = {}
for place = 2, #KEYS do
  local total = math.max(tonumber(redis.call('GET', KEYS[place]) or '0'), tonumber(ARGV[2 * place - 2]))
  redis.call('SET', KEYS[place], string.format('%.0f', total))
  redis.call('EXPIREAT', KEYS[place], ARGV[2 * place - 1])
  answer[place - 1] = total
end
return answer
"""


class RedisCounters:
    """Implements Counters by one script per step; a server that does not answer is unavailable at once."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=True,
            # a step whose answer was lost may have been taken: trying again could take it twice
            retry=Retry(NoBackoff(), 0),
        )

    async def reserve(self, claims: Sequence[Claim], nanousd: int) -> Taken:
        """Add to all or to none; see Counters."""
        granted, *totals = await self._run(_RESERVE, claims, nanousd, [row.limit_nanousd for row in claims])
        return Taken(bool(granted), tuple(totals))

    async def settle(self, claims: Sequence[Claim], change_nanousd: int) -> tuple[int, ...]:
        """Add a change; see Counters."""
        return tuple(await self._run(_SETTLE, claims, change_nanousd, [0] * len(claims)))

    async def raise_to(self, claims: Sequence[Claim], nanousd: Sequence[int]) -> tuple[int, ...]:
        """Hold at least this, and be ready; see Counters."""
        return tuple(await self._run(_RAISE, claims, 0, nanousd))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: str, claims: Sequence[Claim], amount: int, each: Sequence[int]) -> list[int]:
        keys = [_READY, *(_PREFIX + claim.key for claim in claims)]
        pairs = zip(each, claims, strict=True)
        values = [amount, *(value for number, claim in pairs for value in (number, claim.expires_at))]
        try:
            # redis-py sends the script's digest, and the script itself to a server that lacks it
            found: Any = await self._redis.register_script(script)(keys=keys, args=values)
        except ResponseError as error:
            if _LOST in str(error):
                raise CountersEmptyError("Redis has lost the counters") from None
            raise CountersUnavailableError(f"Redis refused: {type(error).__name__}") from error
        except (RedisError, OSError, TimeoutError) as error:
            raise CountersUnavailableError(f"Redis cannot be reached: {type(error).__name__}") from error
        return [int(number) for number in found]
