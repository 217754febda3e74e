// Routes: which address means what (docs/reference/api.md is the same table for people).
//
// handle() runs on the I/O thread and only looks at the request line; job texts are parsed, files
// read and answers put together on worker threads; the hub is asked by message. So neither the
// I/O thread nor the hub's thread ever waits for a large job file or a slow disk.
//
// A reply of the hub may arrive after the service has stopped, so replies share the ownership of
// the routes, and the server is reached through a pointer that detach() takes away.
//
// Threads: all functions from any.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "weir/api/http_message.hpp"
#include "weir/api/service.hpp"
#include "weir/api/workers.hpp"

namespace weir::api {

class Routes : public std::enable_shared_from_this<Routes> {
public:
    Routes(hub::Hub& hub, ServiceOptions options);

    void handle(Request request, Responder responder);
    void changed(const hub::Change& change);  // to the event stream

    void attach(HttpServer* server);
    void detach();

private:
    // A request that found its route. `reference` is what stood for "*": a job's id or name.
    struct Call {
        Request request;
        Responder responder;
        std::string reference;
    };
    struct Route;
    static const std::vector<Route>& table();

    void submit(Call call);
    void jobs(Call call);
    void job(Call call);
    void counts(Call call);
    void cancel(Call call);
    void checkpointed(Call call);
    void explain(Call call);
    void logs(Call call);
    void fleet(Call call);
    void reserve(Call call);
    void reservations(Call call);
    void unreserve(Call call);
    void drain(Call call);
    void restore(Call call);
    void datasets(Call call);
    void tenants(Call call);
    void loans(Call call);
    void offer_loan(Call call);
    template <tenancy::LoanEvent event>
    void move_loan(Call call);
    void break_loan(Call call);
    void statement(Call call);
    void power(Call call);
    void set_power(Call call);
    void doctor(Call call);
    void status(Call call);
    void events(Call call);
    void health(Call call);
    void metrics(Call call);
    void file(Call call);

    template <class Wish>
    void operate(const Call& call, Result<Wish> wish);
    void on_worker(const Responder& responder, std::function<void()> task);
    template <class View, class Render>
    hub::Reply<View> answer_with(Responder responder, Render render);

    hub::Hub& hub_;
    ServiceOptions options_;
    Workers workers_;
    std::mutex server_mutex_;
    HttpServer* server_ = nullptr;
};

}  // namespace weir::api
