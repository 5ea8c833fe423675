-- Sends the requests of a file in a random order: METHOD TOKEN FILE, where a line of the file is a
-- path and, after a tab, a JSON body. Prints what came of it as JSON.
local method, requests, headers = "GET", {}, {}

function init(arguments)
  method = arguments[1]
  if arguments[2] ~= "" then headers["Authorization"] = "Bearer " .. arguments[2] end
  for line in io.lines(arguments[3]) do
    local path, body = line:match("^([^\t]*)\t?(.*)$")
    if body == "" then body = nil else headers["Content-Type"] = "application/json" end
    table.insert(requests, { path = path, body = body })
  end
end

function request()
  local one = requests[math.random(#requests)]
  return wrk.format(method, one.path, headers, one.body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"per_second": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
