#include "weir/api/http_server.hpp"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "weir/api/http_core.hpp"
#include "weir/api/http_text.hpp"
#include "weir/base/assert.hpp"
#include "weir/base/log.hpp"

namespace weir::api {
namespace {

namespace asio = boost::asio;

constexpr std::size_t pending_events_bytes_max = 8 * 1024 * 1024;

std::size_t connections_allowed(std::size_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
    // A quarter of the descriptors stays with the database, the jobs' output and the shepherds.
    const auto files = static_cast<std::size_t>(limit.rlim_cur);
    return std::min(wanted, std::max<std::size_t>(files - files / 4, 16));
}

}  // namespace

Result<void> HttpServer::Core::listen() {
    const auto refuse = [this](Code code, std::string_view what) {
        return fail(code, fmt::format("cannot listen on {}: {}", options.listen, what));
    };
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(address.host, error), address.port);
    if (error) return refuse(Code::invalid, error.message());
    acceptor.open(endpoint.protocol(), error);
    if (error) return refuse(Code::io, error.message());
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    // A child of a hub that was killed holds its sockets until it becomes another program: the hub
    // that comes right after it waits for that.
    const auto give_up = std::chrono::steady_clock::now() +
                         std::chrono::milliseconds(options.address_patience.count());
    while (acceptor.bind(endpoint, error),
           error == asio::error::address_in_use && std::chrono::steady_clock::now() < give_up)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (error == asio::error::address_in_use) {
        return refuse(Code::conflict,
                      "the address is in use, perhaps by another hub; stop that one or choose "
                      "another port (0 takes any free one)");
    }
    if (error == asio::error::access_denied) {
        return refuse(Code::denied, "ports below 1024 need privileges; choose a higher one");
    }
    if (error == boost::system::errc::address_not_available) {
        return refuse(Code::invalid,
                      "this machine has no such address; use one of its own, "
                      "127.0.0.1 for itself only or 0.0.0.0 for all");
    }
    if (error) return refuse(Code::io, error.message());
    acceptor.listen(4096, error);
    if (error) return refuse(Code::io, error.message());
    port = acceptor.local_endpoint(error).port();
    return {};
}

void HttpServer::Core::accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
        if (stopping || error == asio::error::operation_aborted) return;
        if (error) {
            // Out of descriptors, most likely: leave the clients in the backlog for a moment.
            log::warn("cannot accept a connection: " + error.message());
            accept_timer.expires_after(std::chrono::milliseconds(200));
            accept_timer.async_wait([this](error_code stopped) {
                if (!stopped) accept();
            });
            return;
        }
        if (connections.size() >= connections_max) {
            refuse_connection(std::move(socket));
        } else {
            socket.set_option(tcp::no_delay(true), error);
            const std::uint64_t id = connection_next++;
            const auto connection = std::make_shared<Connection>(*this, std::move(socket), id);
            connections.emplace(id, connection);
            connection_count.store(connections.size());
            connection->read();
        }
        accept();
    });
}

void HttpServer::Core::refuse_connection(tcp::socket socket) {
    const Response response = error_response(
        {Code::unavailable,
         fmt::format("{} connections are open, the most that this hub serves; try again later",
                     connections.size())});
    const std::string text = head_of(response, false) + response.body;
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    errors_server.fetch_add(1, std::memory_order_relaxed);
}

void HttpServer::Core::ping() {
    ping_timer.expires_after(options.ping_interval);
    ping_timer.async_wait([this](error_code stopped) {
        if (stopped || stopping) return;
        static const Chunk comment = std::make_shared<const std::string>(": ping\n\n");
        const std::vector<Connection*> all(streams.begin(), streams.end());
        for (Connection* connection : all) {
            if (connection->stream_is_idle()) connection->push(comment);
        }
        ping();
    });
}

void HttpServer::Core::drain_events() {
    std::string text;
    bool lost = false;
    {
        const std::lock_guard lock(events_mutex);
        text.swap(events);
        std::swap(lost, events_lost);
        events_posted = false;
    }
    const Chunk chunk = std::make_shared<const std::string>(std::move(text));
    const std::vector<Connection*> all(streams.begin(), streams.end());
    for (Connection* connection : all) {
        if (lost) {
            connection->resync();
        } else {
            connection->push(chunk);
        }
    }
}

void HttpServer::Core::begin_stop() {
    stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
    ping_timer.cancel();
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [id, connection] : connections)
        all.push_back(connection);
    for (const auto& connection : all)
        connection->wind_down();
    if (connections.empty()) return;
    grace_timer.expires_after(options.stop_grace);
    grace_timer.async_wait([this](error_code stopped) {
        if (stopped) return;
        std::vector<std::shared_ptr<Connection>> rest;
        for (const auto& [id, connection] : connections)
            rest.push_back(connection);
        for (const auto& connection : rest)
            connection->close();
    });
}

void HttpServer::Core::forget(Connection& connection) {
    if (streams.erase(&connection) > 0) stream_count.fetch_sub(1);
    connection_count.store(connections.size() - 1);
    // With the last connection nothing keeps the loop running any more.
    if (stopping && connections.size() == 1) grace_timer.cancel();
}

void HttpServer::Core::run() {
    for (;;) {
        try {
            io.run();
            return;
        } catch (const std::exception& error) {
            // Out of memory in one callback must not take the others' connections down.
            log::error(std::string("http server: ") + error.what());
        }
    }
}

Result<std::unique_ptr<HttpServer>> HttpServer::bind(ServerOptions options) {
    auto core = std::make_unique<Core>();
    WEIR_TRY(const ListenAddress address, parse_listen_address(options.listen));
    core->address = address;
    core->hosts = HostRule(address.host, options.names);
    core->options = std::move(options);
    core->connections_max = connections_allowed(core->options.connections_max);
    core->gate->io = &core->io;
    core->gate->connections = &core->connections;
    WEIR_CHECK(core->listen());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

void HttpServer::serve(Handler handler) {
    WEIR_ASSERT(!core_->thread.joinable() && handler);
    core_->handler = std::move(handler);
    core_->accept();
    core_->ping();
    core_->thread = std::thread([raw = core_.get()] { raw->run(); });
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(ServerOptions options, Handler handler) {
    WEIR_TRY(std::unique_ptr<HttpServer> server, bind(std::move(options)));
    server->serve(std::move(handler));
    return server;
}

HttpServer::HttpServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

HttpServer::~HttpServer() {
    stop();
}

void HttpServer::stop() {
    std::call_once(core_->stop_once, [this] {
        if (core_->thread.joinable()) {
            asio::post(core_->io, [core = core_.get()] { core->begin_stop(); });
            core_->thread.join();
        }
        const std::lock_guard lock(core_->gate->mutex);
        core_->gate->io = nullptr;
    });
}

std::uint16_t HttpServer::port() const {
    return core_->port;
}

std::string HttpServer::url() const {
    std::string host = core_->address.host;
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return fmt::format("http://{}:{}", host, core_->port);
}

void HttpServer::publish(std::string_view event,
                         std::string_view id,
                         const std::function<std::string()>& data) {
    const std::lock_guard lock(core_->events_mutex);
    core_->last_event_id = id;
    if (core_->stream_count.load() == 0) return;
    if (core_->events.size() > pending_events_bytes_max) {
        core_->events.clear();
        core_->events_lost = true;
    }
    core_->events += event_text(event, id, data());
    if (core_->events_posted) return;
    core_->events_posted = true;
    asio::post(core_->io, [core = core_.get()] { core->drain_events(); });
}

ServerStats HttpServer::stats() const {
    return {.connections = core_->connection_count.load(),
            .streams = core_->stream_count.load(),
            .requests = core_->requests.load(),
            .errors_client = core_->errors_client.load(),
            .errors_server = core_->errors_server.load(),
            .streams_dropped = core_->streams_dropped.load(),
            .stream_queue_bytes_max_seen = core_->queue_bytes_max_seen.load()};
}

}  // namespace weir::api
