-- Has wrk send a file ("post FILE") or tokens in turn ("tokens FILE", one a line), and say exactly what it counted.
function init(arguments)
    local what, path = arguments[1], arguments[2]
    if what == "post" then
        local file = assert(io.open(path, "rb"))
        wrk.method = "POST"
        wrk.body = file:read("*a")
        file:close()
    elseif what == "tokens" then
        local requests, at = {}, 0
        for token in io.lines(path) do
            wrk.headers["Authorization"] = "Bearer " .. token
            requests[#requests + 1] = wrk.format()
        end
        -- Only here, so that other loads don't pay for a call per request.
        function request()
            at = at % #requests + 1
            return requests[at]
        end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("counted %d %d %d\n", summary.requests, summary.bytes, failed))
end
