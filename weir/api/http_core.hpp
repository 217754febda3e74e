// The inside of the HTTP server: the only header that includes the network library, and only
// http_server.cpp and http_connection.cpp include it.
//
// One io_context, one thread, callbacks. Only the I/O thread touches connections. What other
// threads hold is an Exchange: the number of a connection and the number of a request on it, plus
// a gate to the server that closes when the server stops; an answer that comes too late finds the
// gate closed, or another request in hand, and is dropped.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "weir/api/http_server.hpp"
#include "weir/api/origin.hpp"

namespace weir::api {

using boost::system::error_code;
using tcp = boost::asio::ip::tcp;
using Chunk = std::shared_ptr<const std::string>;

class Connection;

// The way back into a server that may be gone.
struct Gate {
    std::mutex mutex;
    boost::asio::io_context* io = nullptr;  // null once the server has stopped
    std::unordered_map<std::uint64_t, std::shared_ptr<Connection>>* connections = nullptr;

    template <class Deliver>
    void pass(std::uint64_t connection, Deliver deliver) {
        const std::lock_guard lock(mutex);
        if (io == nullptr) return;
        boost::asio::post(
            *io, [table = connections, connection, deliver = std::move(deliver)]() mutable {
                const auto found = table->find(connection);
                // A copy keeps the connection while it answers, whatever it does to the table.
                if (found != table->end()) deliver(*std::shared_ptr<Connection>(found->second));
            });
    }
};

struct HttpServer::Core {
    ServerOptions options;
    Handler handler;
    ListenAddress address;
    HostRule hosts;
    std::uint16_t port = 0;
    std::size_t connections_max = 0;

    boost::asio::io_context io{1};
    tcp::acceptor acceptor{io};
    boost::asio::steady_timer accept_timer{io};
    boost::asio::steady_timer ping_timer{io};
    boost::asio::steady_timer grace_timer{io};
    std::thread thread;
    std::shared_ptr<Gate> gate = std::make_shared<Gate>();
    std::once_flag stop_once;

    // Touched by the I/O thread only.
    std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections;
    std::unordered_set<Connection*> streams;
    std::uint64_t connection_next = 1;
    std::size_t bodies_bytes = 0;
    bool stopping = false;

    // Events that wait for the I/O thread.
    std::mutex events_mutex;
    std::string events;
    std::string last_event_id;
    bool events_posted = false;
    bool events_lost = false;

    // Counted by the I/O thread, read by all.
    std::atomic<std::uint64_t> connection_count{0};
    std::atomic<std::uint64_t> stream_count{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> errors_client{0};
    std::atomic<std::uint64_t> errors_server{0};
    std::atomic<std::uint64_t> streams_dropped{0};
    std::atomic<std::uint64_t> queue_bytes_max_seen{0};

    Result<void> listen();
    void accept();
    void refuse_connection(tcp::socket socket);
    void ping();
    void drain_events();
    void begin_stop();
    void forget(Connection& connection);
    void run();
};

// One client. A small state machine: read a header, refuse it or read the body, hand the request
// to the handler, wait for the answer, write it, start again; or become an event stream.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(HttpServer::Core& core, tcp::socket socket, std::uint64_t id)
        : core_(core), stream_(std::move(socket)), id_(id) {}

    void read();
    void answer(std::uint64_t exchange, Response response);
    void begin_stream(std::uint64_t exchange);
    void push(const Chunk& chunk);
    void resync();
    void wind_down();
    void close();

    [[nodiscard]] bool stream_is_idle() const { return queue_.empty(); }

private:
    enum class Phase : std::uint8_t { reading, handling, writing, streaming, lingering, closed };

    void on_header(error_code error);
    void on_body(error_code error);
    bool refuse_header();
    void refuse(const Error& error, int status = 0);
    void write(Response response, bool keep_alive);
    void on_written(error_code error);
    void linger();
    void read_until_gone();
    void write_chunks();
    void release_body();

    HttpServer::Core& core_;
    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
    std::uint64_t id_;
    std::uint64_t exchange_ = 0;  // number of the request in hand
    Phase phase_ = Phase::reading;
    bool keep_alive_ = false;
    bool head_only_ = false;
    std::size_t body_reserved_ = 0;
    std::string out_head_;
    std::string out_body_;
    std::string last_event_id_;
    std::size_t discarded_ = 0;
    std::array<char, 2048> scratch_{};

    std::deque<Chunk> queue_;  // of the event stream
    std::size_t queue_bytes_ = 0;
    std::size_t in_flight_ = 0;  // chunks of the queue that are being written
    bool ends_after_queue_ = false;
};

// The head of an answer, with the phrase that belongs to its status.
std::string head_of(const Response& response, bool keep_alive);

}  // namespace weir::api
