std = 'lua51'
max_line_length = 120
-- What Redis and Valkey put into the environment of a running function.
read_globals = { 'redis', 'cjson' }
