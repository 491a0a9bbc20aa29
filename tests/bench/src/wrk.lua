-- Has wrk send a file ("post FILE") or tokens in turn ("tokens FILE PLACE": one a line, and where the next slice goes
-- on), and say exactly what it counted.
local stop = function() end

function init(arguments)
    local what, path, place_path = arguments[1], arguments[2], arguments[3]
    if what == "post" then
        local file = assert(io.open(path, "rb"))
        wrk.method = "POST"
        wrk.body = file:read("*a")
        file:close()
    elseif what == "tokens" then
        local requests, at = {}, 0
        -- A slice goes on where the one before it stopped, else the first tokens would come more often than the rest.
        local place = io.open(place_path, "r")
        if place then
            at = place:read("*n") or 0
            place:close()
        end
        for token in io.lines(path) do
            wrk.headers["Authorization"] = "Bearer " .. token
            requests[#requests + 1] = wrk.format()
        end
        -- Only here, so that other loads don't pay for a call per request.
        function request()
            at = at % #requests + 1
            return requests[at]
        end
        stop = function()
            local place = assert(io.open(place_path, "w"))
            place:write(at)
            place:close()
        end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    stop()
    io.write(string.format("counted %d %d %d\n", summary.requests, summary.bytes, failed))
end
