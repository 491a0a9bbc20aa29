-- Has wrk send a file when one is named, and say exactly what it counted.
function init(arguments)
    if arguments[1] then
        local file = assert(io.open(arguments[1], "rb"))
        wrk.method = "POST"
        wrk.body = file:read("*a")
        file:close()
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format("counted %d %d %d\n", summary.requests, summary.bytes, failed))
end
