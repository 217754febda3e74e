// HttpServer: HTTP/1.1 and event streams for one handler, on one I/O thread.
//
// Many connections, one thread, no locks on the way: requests of one connection are answered in
// order (pipelining is safe because the next one is read after the last was answered), and a
// connection costs a few kilobytes while it idles. The network library stays behind
// http_core.hpp; everybody else sees http_message.hpp.
//
// Event streams: a connection whose handler called Responder::stream_events() gets everything
// that publish() says from then on, as Server-Sent Events, and a ping comment now and then. Each
// has a bounded queue; a client that does not keep up gets the event "resync" (reload and come
// back) and is closed, so its slowness costs neither memory nor the others. There is no history:
// a client that comes back with a Last-Event-ID older than the last event gets "resync" at once
// and stays connected.
//
// Threads: bind(), serve() and stop() from one; publish(), stats() and Responder from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/api/http_message.hpp"
#include "weir/base/result.hpp"
#include "weir/base/time.hpp"

namespace weir::api {

struct ServerOptions {
    std::string listen = "127.0.0.1:8421";  // see parse_listen_address()
    std::vector<std::string> names;         // that it goes by beside its own; see HostRule
    std::size_t header_bytes_max = 16 * 1024;
    std::size_t body_bytes_max = 16 * 1024 * 1024;
    std::size_t bodies_bytes_max = 256 * 1024 * 1024;  // of all requests in progress together
    std::size_t connections_max = 4000;   // less where the limit of open files is lower
    Duration address_patience{};          // while the address is in use, before that is an error
    Duration idle_timeout = seconds(75);  // for the next request to arrive whole
    Duration write_timeout = seconds(30);
    Duration stop_grace = seconds(3);      // for answers that are owed when stop() comes
    Duration ping_interval = seconds(15);  // of event streams
    std::size_t stream_queue_bytes_max = 512 * 1024;
};

struct ServerStats {
    std::uint64_t connections = 0;    // open now
    std::uint64_t streams = 0;        // of these, event streams
    std::uint64_t requests = 0;       // the rest since the start
    std::uint64_t errors_client = 0;  // answers 400 to 499
    std::uint64_t errors_server = 0;  // answers 500 and up
    std::uint64_t streams_dropped = 0;
    std::uint64_t stream_queue_bytes_max_seen = 0;  // of one client
};

class HttpServer {
public:
    using Handler = std::function<void(Request, Responder)>;

    // Binds and listens, so that the address is ours and the port known; whoever connects waits
    // until serve(). The error names the address and what is wrong.
    static Result<std::unique_ptr<HttpServer>> bind(ServerOptions options);
    // Starts the thread. Requires: once, and not after stop().
    void serve(Handler handler);
    // Both at once.
    static Result<std::unique_ptr<HttpServer>> start(ServerOptions options, Handler handler);
    ~HttpServer();  // stops

    // No new connections; answers that are owed are given `stop_grace`; then everything closes.
    void stop();

    [[nodiscard]] std::uint16_t port() const;  // the real one, also when 0 was asked for
    [[nodiscard]] std::string url() const;     // "http://127.0.0.1:8421"

    // One event to every stream. `id` is what Last-Event-ID will repeat; `data` is asked for its
    // text only when somebody listens.
    void publish(std::string_view event,
                 std::string_view id,
                 const std::function<std::string()>& data);

    [[nodiscard]] ServerStats stats() const;

    struct Core;  // http_core.hpp

private:
    explicit HttpServer(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace weir::api
