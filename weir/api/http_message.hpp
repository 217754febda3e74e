// Request, Response, Responder: HTTP as the rest of weir sees it, without the network library.
//
// A handler gets a Request and a Responder, on the server's I/O thread, and answers through the
// Responder at once or later, from any thread. A Responder whose last copy goes away unanswered
// answers "unavailable" by itself, so a client never waits for a reply that nobody owes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/api/target.hpp"
#include "weir/base/result.hpp"

namespace weir::api {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;  // "GET", "POST", ...; HEAD arrives as GET, the server drops the body
    Target target;
    Headers headers;
    std::string body;

    // The value of a header, "" when it was not sent. Names compare without case.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::string type = "application/json";
    Headers headers;
    std::string body;
};

// {"error":{"code":"not_found","message":"..."}} with the status that belongs to the code.
Response error_response(const Error& error);

class Responder {
public:
    class Exchange;  // one request that waits for its answer; made by the server
    explicit Responder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

    // Requires: neither was called before on any copy.
    void send(Response response) const;
    void stream_events() const;  // the connection becomes an event stream (http_server.hpp)

private:
    std::shared_ptr<Exchange> exchange_;
};

}  // namespace weir::api
