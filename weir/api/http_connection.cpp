// One connection: reading, answering, streaming, ending.
//
// Beast parses requests and times reads and writes out; answers are put together as text
// (http_text.hpp), because a status line and a few headers in one string are simpler than a
// message type for every kind of body.
#include <fmt/core.h>

#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include "weir/api/http_core.hpp"
#include "weir/api/http_text.hpp"
#include "weir/base/assert.hpp"
#include "weir/base/units.hpp"

namespace weir::api {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

// Enough of a refused body is read for the client to reach the answer instead of a reset.
constexpr std::size_t refused_bytes_read_max = 64 * 1024 * 1024;
constexpr std::size_t chunks_per_write_max = 32;

std::string_view view_of(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

std::string head_of(const Response& response, bool keep_alive) {
    const auto status = http::int_to_status(static_cast<unsigned>(response.status));
    return response_head(response, view_of(http::obsolete_reason(status)), keep_alive);
}

// One request that waits for its answer. Answered exactly once: by send(), by stream_events(), or
// here when the last copy of its Responder goes away.
class Responder::Exchange {
public:
    Exchange(std::shared_ptr<Gate> gate, std::uint64_t connection, std::uint64_t number)
        : gate_(std::move(gate)), connection_(connection), number_(number) {}
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        if (!answered_.load()) {
            deliver(error_response({Code::unavailable,
                                    "the hub stopped before it could answer; what was "
                                    "acknowledged is safe, ask again when it is back"}));
        }
    }
    void send(Response response) {
        WEIR_ASSERT(!answered_.exchange(true));
        deliver(std::move(response));
    }
    void stream() {
        WEIR_ASSERT(!answered_.exchange(true));
        gate_->pass(connection_, [number = number_](Connection& connection) {
            connection.begin_stream(number);
        });
    }

private:
    void deliver(Response response) {
        gate_->pass(
            connection_,
            [number = number_, response = std::move(response)](Connection& connection) mutable {
                connection.answer(number, std::move(response));
            });
    }
    std::shared_ptr<Gate> gate_;
    std::uint64_t connection_;
    std::uint64_t number_;
    std::atomic<bool> answered_{false};
};

void Responder::send(Response response) const {
    exchange_->send(std::move(response));
}
void Responder::stream_events() const {
    exchange_->stream();
}

// ---- Reading ---------------------------------------------------------------------------------

void Connection::read() {
    if (core_.stopping) return close();
    phase_ = Phase::reading;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_.options.header_bytes_max));
    parser_->body_limit(core_.options.body_bytes_max);
    stream_.expires_after(core_.options.idle_timeout);
    http::async_read_header(
        stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            self->on_header(error);
        });
}

void Connection::on_header(error_code error) {
    if (phase_ == Phase::closed) return;
    if (error == http::error::header_limit) {
        return refuse(
            {Code::too_large,
             fmt::format("request header: over {} bytes", core_.options.header_bytes_max)},
            431);
    }
    if (error == http::error::body_limit) {
        return refuse(
            {Code::too_large,
             fmt::format("request body: over {}, the most that is "
                         "accepted; submit in several requests",
                         format_bytes({static_cast<std::int64_t>(core_.options.body_bytes_max)}))});
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message) {
        return close();
    }
    if (error && error.category() == make_error_code(http::error::bad_method).category()) {
        return refuse({Code::invalid, "request: this is not HTTP/1.1 (" + error.message() + ")"});
    }
    if (error) return close();
    core_.requests.fetch_add(1, std::memory_order_relaxed);
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    if (!refuse_header()) return;

    const auto length = parser_->content_length();
    const std::size_t expected = length               ? static_cast<std::size_t>(*length)
                                 : parser_->chunked() ? core_.options.body_bytes_max
                                                      : 0;
    if (expected > 0 && core_.bodies_bytes + expected > core_.options.bodies_bytes_max) {
        return refuse({Code::unavailable,
                       "request body: too many large requests at once; try "
                       "again in a moment"});
    }
    body_reserved_ = expected;
    core_.bodies_bytes += expected;
    if (parser_->is_done()) return on_body({});

    stream_.expires_after(core_.options.idle_timeout);
    const auto read_body = [](const std::shared_ptr<Connection>& self) {
        http::async_read(
            self->stream_, self->buffer_, *self->parser_, [self](error_code failure, std::size_t) {
                self->on_body(failure);
            });
    };
    if (view_of(message[http::field::expect]) == "100-continue") {
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(stream_,
                          asio::buffer(go_on.data(), go_on.size()),
                          [self = shared_from_this(), read_body](error_code failure, std::size_t) {
                              if (failure) return self->close();
                              read_body(self);
                          });
        return;
    }
    read_body(shared_from_this());
}

// What can be refused before the body is read. True = go on.
bool Connection::refuse_header() {
    const auto& message = parser_->get();
    const std::string_view host = view_of(message[http::field::host]);
    if (host.empty() && message.version() >= 11) {
        refuse({Code::invalid, "request: the Host header is missing"});
        return false;
    }
    if (!core_.hosts.allows(host)) {
        refuse({Code::denied,
                fmt::format("request: Host \"{}\" is no name of this hub; valid: {}; `weir up "
                            "--host NAME` adds one",
                            host.substr(0, 80),
                            core_.hosts.valid())});
        return false;
    }
    const bool reads_only = message.method() == http::verb::get || head_only_;
    if (!reads_only &&
        !origin_allowed(
            view_of(message[http::field::origin]), view_of(message["Sec-Fetch-Site"]), host)) {
        refuse({Code::denied,
                fmt::format("request: a page of \"{}\" may not change anything here",
                            view_of(message[http::field::origin]).substr(0, 80))});
        return false;
    }
    return true;
}

void Connection::on_body(error_code error) {
    if (phase_ == Phase::closed) return;
    if (error == http::error::body_limit) return on_header(error);
    if (error && error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
        return refuse({Code::invalid, "request body: " + error.message()});
    }
    if (error) return close();
    stream_.expires_never();  // how long an answer takes is the handler's affair

    auto message = parser_->release();
    parser_.reset();
    phase_ = Phase::handling;
    ++exchange_;
    Result<Target> target = parse_target(view_of(message.target()));
    if (!target.has_value()) return write(error_response(target.error()), keep_alive_);

    Request request;
    request.method = head_only_ ? "GET" : std::string(view_of(message.method_string()));
    request.target = std::move(*target);
    for (const auto& field : message) {
        request.headers.emplace_back(view_of(field.name_string()), view_of(field.value()));
    }
    request.body = std::move(message.body());
    last_event_id_ = std::string(request.header("Last-Event-ID"));
    core_.handler(std::move(request),
                  Responder(std::make_shared<Responder::Exchange>(core_.gate, id_, exchange_)));
}

// Answers a request that was not read to its end; the connection cannot be used again.
void Connection::refuse(const Error& error, int status) {
    ++exchange_;
    Response response = error_response(error);
    if (status != 0) response.status = status;
    write(std::move(response), false);
}

// ---- Answering -------------------------------------------------------------------------------

void Connection::answer(std::uint64_t exchange, Response response) {
    if (exchange != exchange_ || phase_ != Phase::handling) return;
    write(std::move(response), keep_alive_);
}

void Connection::write(Response response, bool keep_alive) {
    phase_ = Phase::writing;
    release_body();
    keep_alive_ = keep_alive && !core_.stopping;
    if (response.status >= 500) {
        core_.errors_server.fetch_add(1, std::memory_order_relaxed);
    } else if (response.status >= 400) {
        core_.errors_client.fetch_add(1, std::memory_order_relaxed);
    }
    out_head_ = head_of(response, keep_alive_);
    out_body_ = head_only_ || response.status == 304 ? std::string{} : std::move(response.body);
    stream_.expires_after(core_.options.write_timeout);
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(out_head_),
                                                    asio::buffer(out_body_)};
    asio::async_write(stream_, buffers, [self = shared_from_this()](error_code error, std::size_t) {
        self->on_written(error);
    });
}

void Connection::on_written(error_code error) {
    if (phase_ == Phase::closed) return;
    std::string{}.swap(out_body_);
    if (error) return close();
    if (keep_alive_) return read();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    phase_ = Phase::lingering;
    stream_.expires_after(seconds(5));
    linger();
}

// The client may still be sending; closing now would throw away the answer with a reset.
void Connection::linger() {
    stream_.async_read_some(asio::buffer(scratch_),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                                self->discarded_ += bytes;
                                if (error || self->discarded_ > refused_bytes_read_max) {
                                    return self->close();
                                }
                                self->linger();
                            });
}

// ---- Event streams ---------------------------------------------------------------------------

void Connection::begin_stream(std::uint64_t exchange) {
    if (exchange != exchange_ || phase_ != Phase::handling) return;
    if (head_only_ || core_.stopping) {
        Response response;
        response.type = "text/event-stream";
        return write(std::move(response), false);
    }
    release_body();
    phase_ = Phase::streaming;
    // The kernel's buffer is part of the queue: keep it small, so that "slow" is noticed.
    error_code ignored;
    stream_.socket().set_option(asio::socket_base::send_buffer_size(128 * 1024), ignored);
    core_.streams.insert(this);
    std::string head = event_stream_head() + "retry: 1000\n\n";
    {
        // Counted in the same breath as the last event is looked at: what is published later
        // reaches this stream, what was published before is what it may have missed.
        const std::lock_guard lock(core_.events_mutex);
        core_.stream_count.fetch_add(1);
        if (!last_event_id_.empty() && last_event_id_ != core_.last_event_id) {
            head += event_text("resync", core_.last_event_id, "{}");
        }
    }
    stream_.expires_never();
    read_until_gone();
    push(std::make_shared<const std::string>(std::move(head)));
}

// Nothing more is expected from the client; a read is how its leaving is noticed.
void Connection::read_until_gone() {
    stream_.async_read_some(asio::buffer(scratch_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                                if (error) return self->close();
                                self->read_until_gone();
                            });
}

void Connection::push(const Chunk& chunk) {
    if (phase_ != Phase::streaming || ends_after_queue_) return;
    // Judged by what waits already: a burst is no sign of slowness, and its one chunk is shared by
    // all clients.
    if (queue_bytes_ >= core_.options.stream_queue_bytes_max) return resync();
    queue_.push_back(chunk);
    queue_bytes_ += chunk->size();
    if (queue_bytes_ > core_.queue_bytes_max_seen.load(std::memory_order_relaxed)) {
        core_.queue_bytes_max_seen.store(queue_bytes_, std::memory_order_relaxed);
    }
    if (in_flight_ == 0) write_chunks();
}

// Forgets what waits, says so, and ends the stream.
void Connection::resync() {
    if (phase_ != Phase::streaming || ends_after_queue_) return;
    while (queue_.size() > in_flight_) {
        queue_bytes_ -= queue_.back()->size();
        queue_.pop_back();
    }
    ends_after_queue_ = true;
    core_.streams_dropped.fetch_add(1, std::memory_order_relaxed);
    queue_.push_back(std::make_shared<const std::string>(event_text("resync", "", "{}")));
    queue_bytes_ += queue_.back()->size();
    if (in_flight_ == 0) write_chunks();
}

void Connection::write_chunks() {
    std::vector<asio::const_buffer> buffers;
    for (const Chunk& chunk : queue_) {
        if (buffers.size() == chunks_per_write_max) break;
        buffers.push_back(asio::buffer(*chunk));
    }
    in_flight_ = buffers.size();
    stream_.expires_after(core_.options.write_timeout);
    asio::async_write(stream_, buffers, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->phase_ == Phase::closed) return;
        if (error) return self->close();
        for (; self->in_flight_ > 0; --self->in_flight_) {
            self->queue_bytes_ -= self->queue_.front()->size();
            self->queue_.pop_front();
        }
        if (!self->queue_.empty()) return self->write_chunks();
        if (self->ends_after_queue_) return self->close();
    });
}

// ---- Ending ----------------------------------------------------------------------------------

void Connection::release_body() {
    core_.bodies_bytes -= body_reserved_;
    body_reserved_ = 0;
}

// The server stops: what is owed is still answered, everything else ends now.
void Connection::wind_down() {
    if (phase_ == Phase::reading || phase_ == Phase::streaming) close();
}

void Connection::close() {
    if (phase_ == Phase::closed) return;
    phase_ = Phase::closed;
    release_body();
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
    queue_.clear();
    core_.forget(*this);
    core_.connections.erase(id_);
}

}  // namespace weir::api
