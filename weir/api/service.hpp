// Service: the HTTP API of one hub, and its console, on one address.
//
// It ties three things together: the HTTP server, the routes, and the hub whose changes go out as
// an event stream. What belongs to neither (the checks of `weir doctor`, the rates of a chip) is
// handed in as functions, which are called on a worker thread.
//
// Threads: start() and stop() from one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weir/api/http_server.hpp"
#include "weir/api/json_views.hpp"
#include "weir/base/result.hpp"
#include "weir/hub/hub.hpp"

namespace weir::api {

struct ServiceOptions {
    HubFacts facts;                              // url is filled in when the address is known
    std::function<std::vector<Check>()> doctor;  // none = no checks
    std::function<std::vector<Rate>(const fleet::Pool&)> rates;  // none = no rates
    std::size_t worker_threads = 2;
};

class Routes;

class Service {
public:
    // Requires: the hub outlives the service; the server is bound and does not serve yet, so that
    // a hub need not be opened before it is known that its address can be had.
    static std::unique_ptr<Service> start(hub::Hub& hub,
                                          ServiceOptions options,
                                          std::unique_ptr<HttpServer> server);
    ~Service();  // stops

    // Answers what is owed, then closes. The hub goes on.
    void stop();

    [[nodiscard]] std::string url() const;
    [[nodiscard]] ServerStats stats() const;

private:
    Service(hub::Hub& hub, std::shared_ptr<Routes> routes, std::unique_ptr<HttpServer> server);

    hub::Hub& hub_;
    std::shared_ptr<Routes> routes_;
    std::unique_ptr<HttpServer> server_;
    std::uint64_t listener_ = 0;
    bool stopped_ = false;
};

}  // namespace weir::api
