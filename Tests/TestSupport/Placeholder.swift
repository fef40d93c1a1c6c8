import AsyncIO
