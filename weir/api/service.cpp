#include "weir/api/service.hpp"

#include <string>

#include "weir/api/routes.hpp"

namespace weir::api {

std::unique_ptr<Service> Service::start(hub::Hub& hub,
                                        ServiceOptions options,
                                        std::unique_ptr<HttpServer> server) {
    auto routes = std::make_shared<Routes>(hub, std::move(options));
    routes->attach(server.get());
    server->serve([routes](Request request, Responder responder) {
        routes->handle(std::move(request), std::move(responder));
    });
    return std::unique_ptr<Service>(new Service(hub, std::move(routes), std::move(server)));
}

Service::Service(hub::Hub& hub, std::shared_ptr<Routes> routes, std::unique_ptr<HttpServer> server)
    : hub_(hub), routes_(std::move(routes)), server_(std::move(server)) {
    listener_ =
        hub_.listen([shared = routes_](const hub::Change& change) { shared->changed(change); });
}

Service::~Service() {
    stop();
}

void Service::stop() {
    if (stopped_) return;
    stopped_ = true;
    hub_.unlisten(listener_);
    server_->stop();
    // The hub may still hold replies that lead here; they find the routes without a server.
    routes_->detach();
}

std::string Service::url() const {
    return server_->url();
}
ServerStats Service::stats() const {
    return server_->stats();
}

}  // namespace weir::api
