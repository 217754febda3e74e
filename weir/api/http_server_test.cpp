// The server by itself: a small handler, and clients that say exactly what goes over the wire.
#include "weir/api/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "weir/api/client.hpp"
#include "weir/api/origin.hpp"
#include "weir/api/raw_socket.hpp"

namespace weir::api {
namespace {

using testing::HasSubstr;
using testing::Not;

// /echo answers the body, /later answers from another thread, /events streams, /never keeps the
// Responder until the test lets it go, /drop lets it go at once.
class HttpServerTest : public testing::Test {
protected:
    void start(ServerOptions options = {}) {
        options.listen = "127.0.0.1:0";
        auto server =
            HttpServer::start(std::move(options), [this](Request request, Responder responder) {
                handle(std::move(request), std::move(responder));
            });
        ASSERT_TRUE(server.has_value()) << server.error().message;
        server_ = std::move(*server);
    }

    void TearDown() override {
        kept_.clear();
        if (server_) server_->stop();
        for (std::thread& thread : threads_)
            thread.join();
    }

    void handle(Request request, Responder responder) {
        ++requests_;
        const std::string what =
            request.target.segments.empty() ? "" : request.target.segments.front();
        if (what == "events") return responder.stream_events();
        if (what == "drop") return;
        if (what == "never") {
            const std::lock_guard lock(mutex_);
            kept_.push_back(std::move(responder));
            return;
        }
        Response response;
        response.type = "text/plain";
        response.body = request.body.empty() ? text_of(request.target) : std::move(request.body);
        if (what == "large") response.body = std::string(4'000'000, 'x');
        if (what != "later") return responder.send(std::move(response));
        threads_.emplace_back([responder, response] { responder.send(response); });
    }

    std::string get(const std::string& target) {
        return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }

    void wait_for_streams(std::uint64_t count) {
        while (server_->stats().streams != count)
            std::this_thread::yield();
    }

    // The Responder of a request to /never, once it has arrived.
    Responder kept() {
        for (;;) {
            const std::lock_guard lock(mutex_);
            if (!kept_.empty()) return kept_.front();
        }
    }

    std::unique_ptr<HttpServer> server_;
    std::atomic<int> requests_{0};
    std::mutex mutex_;
    std::vector<Responder> kept_;
    std::vector<std::thread> threads_;
};

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrderEvenWhenLaterOnesWouldBeQuicker) {
    start();
    RawSocket socket(server_->port());
    ASSERT_TRUE(socket.connected());
    std::string all;
    for (int i = 0; i < 50; ++i) {
        all += get((i % 2 == 0 ? "/later/" : "/now/") + std::to_string(i));
    }
    ASSERT_TRUE(socket.send(all));
    const std::string& seen = socket.read_until("/now/49");
    std::size_t at = 0;
    for (int i = 0; i < 50; ++i) {
        const std::string expected = "\r\n\r\n" + std::string(i % 2 == 0 ? "/later/" : "/now/") +
                                     std::to_string(i) + (i < 49 ? "HTTP/1.1 200" : "");
        at = seen.find(expected, at);
        ASSERT_NE(at, std::string::npos) << "answer " << i << " is missing or out of order";
    }
}

TEST_F(HttpServerTest, AcceptsARequestThatComesByteByByte) {
    start();
    RawSocket socket(server_->port());
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nwater";
    for (const char c : request)
        ASSERT_TRUE(socket.send(std::string_view(&c, 1)));
    EXPECT_THAT(socket.read_until("water"), HasSubstr("Content-Length: 5"));
}

TEST_F(HttpServerTest, AnswersHeadWithTheHeadersOfGetAndNoBody) {
    start();
    RawSocket socket(server_->port());
    socket.send("HEAD /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string seen = socket.read_to_end();
    EXPECT_THAT(seen, HasSubstr("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(seen, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_EQ(seen.substr(seen.size() - 4), "\r\n\r\n");
}

TEST_F(HttpServerTest, TakesABodyOfTheLimitAndRefusesOneByteMoreInJson) {
    ServerOptions options;
    options.body_bytes_max = 100'000;
    start(options);
    Client client(server_->url());
    const auto fits = client.post("/echo", std::string(100'000, 'a'));
    ASSERT_TRUE(fits.has_value()) << fits.error().message;
    EXPECT_EQ(fits->size(), 100'000U);
    const auto over = client.post("/echo", std::string(100'001, 'a'));
    ASSERT_FALSE(over.has_value());
    EXPECT_EQ(over.error().code, Code::too_large);
    EXPECT_THAT(over.error().message, HasSubstr("request body"));
    EXPECT_EQ(requests_, 1);
}

// The client has sent everything before it reads: the answer must reach it all the same.
TEST_F(HttpServerTest, TellsAClientThatSentTooMuchInsteadOfResettingIt) {
    ServerOptions options;
    options.body_bytes_max = 1000;
    start(options);
    RawSocket socket(server_->port());
    ASSERT_TRUE(
        socket.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n"));
    std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
    for (int i = 0; i < 40; ++i)
        socket.send(chunk);
    EXPECT_THAT(socket.read_until("}}"), HasSubstr("413 Payload Too Large"));
}

TEST_F(HttpServerTest, RefusesAHeaderOverItsLimit) {
    start();
    RawSocket socket(server_->port());
    socket.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + std::string(20'000, 'x') +
                "\r\n\r\n");
    EXPECT_THAT(socket.read_to_end(), HasSubstr("431"));
    EXPECT_EQ(requests_, 0);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttpWithOneSentence) {
    start();
    RawSocket socket(server_->port());
    socket.send("ssh-2.0-hello\r\n\r\n");
    EXPECT_THAT(socket.read_to_end(), HasSubstr("this is not HTTP/1.1"));
}

TEST_F(HttpServerTest, RefusesABadRequestTargetAndKeepsTheConnection) {
    start();
    RawSocket socket(server_->port());
    socket.send(get("/a%zz") + get("/echo"));
    const std::string seen = socket.read_until("/echo");
    EXPECT_THAT(seen, HasSubstr("400 Bad Request"));
    EXPECT_THAT(seen, HasSubstr("hexadecimal"));
}

TEST_F(HttpServerTest, RefusesHostsThatAreNotItsOwnSoThatANameCannotBeReboundToIt) {
    start();
    for (const char* host : {"evil.example",
                             "evil.example:8421",
                             "127.0.0.1.evil.example",
                             "localhost.evil",
                             "[::2]"}) {
        RawSocket socket(server_->port());
        socket.send("GET /echo HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
        EXPECT_THAT(socket.read_to_end(), HasSubstr("403 Forbidden")) << host;
    }
    for (const char* host : {"localhost", "LOCALHOST:1", "127.0.0.1:8421", "[::1]:8421"}) {
        RawSocket socket(server_->port());
        socket.send("GET /echo HTTP/1.1\r\nHost: " + std::string(host) +
                    "\r\nConnection: close\r\n\r\n");
        EXPECT_THAT(socket.read_to_end(), HasSubstr("200 OK")) << host;
    }
}

TEST(HostRule, LetsNoForeignNameInWhateverTheServerIsBoundTo) {
    const std::vector<std::string> own = names_of_this_machine();
    ASSERT_FALSE(own.empty());
    const HostRule everywhere("0.0.0.0", {"hub.example.org"});
    for (const char* host : {"192.0.2.7:8421",
                             "[2001:db8::7]:8421",
                             "localhost:8421",
                             "hub.example.org",
                             "HUB.example.org.:80"}) {
        EXPECT_TRUE(everywhere.allows(host)) << host;
    }
    for (const std::string& host : own)
        EXPECT_TRUE(everywhere.allows(host + ":8421")) << host;
    for (const char* host : {"evil.example",
                             "evil.example:8421",
                             "192.0.2.7.evil.example",
                             "",
                             ":8421",
                             "[",
                             "hub.example.org.evil.example",
                             "0x7f.1"}) {
        EXPECT_FALSE(everywhere.allows(host)) << host;
    }
    EXPECT_THAT(everywhere.valid(), HasSubstr("hub.example.org"));
    // On loopback a name must have been given; an address of another interface means a forward
    // that nobody told the hub about.
    const HostRule here("127.0.0.1", {"hub.example.org"});
    EXPECT_TRUE(here.allows("hub.example.org"));
    EXPECT_FALSE(here.allows("192.0.2.7:8421"));
}

TEST(HostRule, TakesNamesWithoutSchemeAndPort) {
    EXPECT_EQ(*host_name_of("Hub.Example.ORG."), "hub.example.org");
    EXPECT_EQ(*host_name_of("::1"), "::1");
    for (const char* wrong : {"", ".", "http://a", "a:80", "a b", "a..b", "*", "ä"}) {
        const auto name = host_name_of(wrong);
        ASSERT_FALSE(name.has_value()) << wrong;
        EXPECT_THAT(name.error().message, HasSubstr("example.org")) << wrong;
    }
}

// A hub that finds its port taken must not have started anything; so it asks first.
TEST_F(HttpServerTest, HoldsItsAddressBeforeItServes) {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    auto bound = HttpServer::bind(options);
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    ServerOptions same;
    same.listen = "127.0.0.1:" + std::to_string((*bound)->port());
    const auto second = HttpServer::bind(same);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Code::conflict);
    RawSocket early((*bound)->port());
    early.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    (*bound)->serve([](Request, Responder responder) {
        Response response;
        response.body = "at last";
        responder.send(std::move(response));
    });
    EXPECT_THAT(early.read_to_end(), HasSubstr("at last"));
}

TEST_F(HttpServerTest, RefusesRequestsWithSideEffectsFromPagesOfOtherOrigins) {
    start();
    const auto post = [this](const std::string& headers) {
        RawSocket socket(server_->port());
        socket.send("POST /echo HTTP/1.1\r\nHost: localhost:8421\r\nConnection: close\r\n" +
                    headers + "Content-Length: 2\r\n\r\nhi");
        return socket.read_to_end();
    };
    EXPECT_THAT(post(""), HasSubstr("200 OK"));
    EXPECT_THAT(post("Origin: http://localhost:8421\r\n"), HasSubstr("200 OK"));
    EXPECT_THAT(post("Sec-Fetch-Site: same-origin\r\n"), HasSubstr("200 OK"));
    for (const char* headers : {"Origin: http://evil.example\r\n",
                                "Origin: null\r\n",
                                "Origin: http://localhost:3000\r\n",
                                "Origin: http://localhost:8421.evil.example\r\n",
                                "Sec-Fetch-Site: cross-site\r\n",
                                "Origin: http://localhost:8421\r\nSec-Fetch-Site: same-site\r\n"}) {
        EXPECT_THAT(post(headers), HasSubstr("403 Forbidden")) << headers;
    }
}

TEST_F(HttpServerTest, AnswersForAHandlerThatLetsARequestGo) {
    start();
    Client client(server_->url(), {.patience = seconds(0)});
    const auto reply = client.get("/drop");
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, Code::unavailable);
}

TEST_F(HttpServerTest, StopsWhileAnAnswerIsOwedAndTheLateAnswerIsDropped) {
    ServerOptions options;
    options.stop_grace = Duration{50};
    start(options);
    RawSocket socket(server_->port());
    socket.send(get("/never"));
    const Responder owed = kept();
    server_->stop();
    EXPECT_EQ(socket.read_to_end(), "");
    EXPECT_TRUE(socket.ended());
    owed.send({});
    EXPECT_FALSE(RawSocket(server_->port()).connected());
}

TEST_F(HttpServerTest, GivesAnOwedAnswerItsGraceWhenItStops) {
    start();
    RawSocket socket(server_->port());
    socket.send(get("/never"));
    const Responder owed = kept();
    std::thread stopper([this] { server_->stop(); });
    while (RawSocket(server_->port()).connected())
        std::this_thread::yield();
    Response response;
    response.body = "at last";
    owed.send(response);
    EXPECT_THAT(socket.read_to_end(), HasSubstr("at last"));
    stopper.join();
}

TEST_F(HttpServerTest, ClosesAConnectionThatAsksNothing) {
    ServerOptions options;
    options.idle_timeout = Duration{30};
    start(options);
    RawSocket socket(server_->port());
    socket.send("GET / HT");
    socket.read_to_end();
    EXPECT_TRUE(socket.ended());
}

TEST_F(HttpServerTest, ServesNoMoreConnectionsThanItsLimitAndSaysSo) {
    ServerOptions options;
    options.connections_max = 2;
    start(options);
    RawSocket first(server_->port());
    RawSocket second(server_->port());
    first.send(get("/1"));
    second.send(get("/2"));
    first.read_until("/1");
    second.read_until("/2");
    RawSocket third(server_->port());
    EXPECT_THAT(third.read_to_end(), HasSubstr("503 Service Unavailable"));
    first.send(get("/still"));
    EXPECT_THAT(first.read_until("/still"), HasSubstr("/still"));
}

TEST_F(HttpServerTest, BoundsTheBodiesThatAreReadAtOnce) {
    ServerOptions options;
    options.bodies_bytes_max = 150'000;
    start(options);
    RawSocket slow(server_->port());
    slow.send("POST /never HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" +
              std::string(100'000, 'x'));
    const Responder owed = kept();
    Client client(server_->url(), {.patience = seconds(0)});
    const auto refused = client.post("/echo", std::string(100'000, 'x'));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::unavailable);
    owed.send({});
    slow.read_until("\r\n\r\n");
    RawSocket again(server_->port());  // the first body's room is free once the next is read
    again.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" +
               std::string(100'000, 'y'));
    EXPECT_THAT(again.read_until(std::string(100'000, 'y')), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, NamesTheAddressThatItCannotListenOn) {
    start();
    const auto refuse = [](const std::string& listen) {
        ServerOptions options;
        options.listen = listen;
        auto server = HttpServer::start(options, [](Request, Responder) {});
        EXPECT_FALSE(server.has_value()) << listen;
        return server.has_value() ? Error{} : server.error();
    };
    const std::string taken = "127.0.0.1:" + std::to_string(server_->port());
    EXPECT_THAT(refuse(taken).message, HasSubstr(taken + ": the address is in use"));
    EXPECT_EQ(refuse(taken).code, Code::conflict);
    EXPECT_THAT(refuse("203.0.113.7:8421").message, HasSubstr("no such address"));
    for (const char* wrong : {"",
                              "8421",
                              "127.0.0.1",
                              "127.0.0.1:",
                              "127.0.0.1:http",
                              ":8421",
                              "127.0.0.1:65536",
                              "example.com:80",
                              "::1:80",
                              "[::1]"}) {
        const Error error = refuse(wrong);
        EXPECT_EQ(error.code, Code::invalid) << wrong;
        EXPECT_THAT(error.message, HasSubstr("HOST:PORT")) << wrong;
    }
}

// ---- Event streams -----------------------------------------------------------------------------

TEST_F(HttpServerTest, SendsEveryEventInOrderToTwoHundredClients) {
    start();
    std::vector<std::unique_ptr<RawSocket>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(std::make_unique<RawSocket>(server_->port()));
        clients.back()->send(get("/events"));
    }
    wait_for_streams(200);
    for (int i = 1; i <= 100; ++i) {
        server_->publish(
            "job", std::to_string(i), [i] { return "{\"n\":" + std::to_string(i) + "}"; });
    }
    for (const auto& client : clients) {
        const std::string& seen = client->read_until("{\"n\":100}\n\n");
        std::size_t at = 0;
        for (int i = 1; i <= 100; ++i) {
            at = seen.find("id: " + std::to_string(i) +
                               "\nevent: job\ndata: {\"n\":" + std::to_string(i) + "}\n\n",
                           at);
            ASSERT_NE(at, std::string::npos) << "event " << i;
        }
    }
    clients.clear();
    wait_for_streams(0);
}

TEST_F(HttpServerTest, DropsAStreamClientThatNeverReadsWithoutGrowing) {
    ServerOptions options;
    options.stream_queue_bytes_max = 100'000;
    options.write_timeout = Duration{300};
    start(options);
    RawSocket sleeper(server_->port(), 4096);
    RawSocket reader(server_->port());
    sleeper.send(get("/events"));
    reader.send(get("/events"));
    wait_for_streams(2);
    const std::string data(10'000, 'd');
    std::uint64_t number = 0;
    // Far more than all buffers on the way can hold.
    for (; number < 400; ++number) {
        server_->publish("job", std::to_string(number), [&] { return data; });
        reader.read_until("\n\n", number + 2);  // one more than the events: "retry" ends so, too
    }
    EXPECT_LE(server_->stats().stream_queue_bytes_max_seen, 110'100U);
    wait_for_streams(1);  // the sleeper is gone, its memory with it
    EXPECT_EQ(server_->stats().streams_dropped, 1U);
    EXPECT_EQ(count_of(reader.seen(), "event: job"), 400U);
}

TEST_F(HttpServerTest, TellsASlowClientToResyncAndClosesIt) {
    ServerOptions options;
    options.stream_queue_bytes_max = 50'000;
    start(options);
    RawSocket slow(server_->port(), 4096);
    slow.send(get("/events"));
    wait_for_streams(1);
    const std::string data(10'000, 'd');
    while (server_->stats().streams_dropped == 0) {
        server_->publish("job", "1", [&] { return data; });
    }
    const std::string seen = slow.read_to_end();  // it reads at last
    EXPECT_TRUE(slow.ended());
    EXPECT_EQ(count_of(seen, "event: resync"), 1U);
    const std::string last = "event: resync\ndata: {}\n\n";
    ASSERT_GE(seen.size(), last.size());
    EXPECT_EQ(seen.substr(seen.size() - last.size()), last);
}

TEST_F(HttpServerTest, TellsAClientThatComesBackLateToResync) {
    start();
    const auto stream = [this](const std::string& header) {
        auto socket = std::make_unique<RawSocket>(server_->port());
        socket->send("GET /events HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n");
        return socket;
    };
    server_->publish("job", "7", [] { return "{}"; });
    const auto late = stream("Last-Event-ID: 5\r\n");
    const auto current = stream("Last-Event-ID: 7\r\n");
    wait_for_streams(2);
    server_->publish("job", "8", [] { return "{}"; });
    EXPECT_THAT(late->read_until("id: 8"), HasSubstr("event: resync"));
    EXPECT_THAT(current->read_until("id: 8"), Not(HasSubstr("event: resync")));
}

TEST_F(HttpServerTest, PingsQuietStreams) {
    ServerOptions options;
    options.ping_interval = Duration{20};
    start(options);
    RawSocket socket(server_->port());
    socket.send(get("/events"));
    EXPECT_THAT(socket.read_until(": ping\n\n", 3), HasSubstr("text/event-stream"));
}

TEST_F(HttpServerTest, SendsTextOfSeveralLinesAsOneEventAndClosesStreamsWhenItStops) {
    start();
    RawSocket socket(server_->port());
    socket.send(get("/events"));
    wait_for_streams(1);
    server_->publish("job", "1", [] { return "a\nb"; });
    EXPECT_THAT(socket.read_until("data: b\n\n"),
                HasSubstr("id: 1\nevent: job\ndata: a\ndata: b\n\n"));
    server_->stop();
    socket.read_to_end();
    EXPECT_TRUE(socket.ended());
}

// ---- The client --------------------------------------------------------------------------------

TEST_F(HttpServerTest, LetsAClientUseItsConnectionAgain) {
    start();
    Client client(server_->url());
    for (int i = 0; i < 20; ++i) {
        const auto reply = client.get("/echo");
        ASSERT_TRUE(reply.has_value()) << reply.error().message;
    }
    EXPECT_EQ(server_->stats().connections, 1U);
    EXPECT_EQ(server_->stats().requests, 20U);
}

TEST_F(HttpServerTest, TakesLargeAnswersWhole) {
    start();
    Client client(server_->url());
    const auto reply = client.get("/large");
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->size(), 4'000'000U);
}

TEST(Client, SaysHowToStartAHubWhereNoneAnswers) {
    std::uint16_t port = 0;
    {
        ServerOptions options;
        options.listen = "127.0.0.1:0";
        auto server = HttpServer::start(options, [](Request, Responder) {});
        ASSERT_TRUE(server.has_value());
        port = (*server)->port();
    }
    const std::string url = "http://127.0.0.1:" + std::to_string(port);
    const auto reply = Client(url + "/").get("/v1/status");
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code, Code::unavailable);
    EXPECT_EQ(reply.error().message,
              "no hub answers at " + url + "; start one with `weir up` or set WEIR_HUB");
}

TEST(Client, SaysThatAnAddressIsNone) {
    for (const char* url : {"", "ftp://127.0.0.1", "not an address"}) {
        const auto reply = Client(url).get("/v1/status");
        ASSERT_FALSE(reply.has_value()) << url;
        EXPECT_THAT(reply.error().message, HasSubstr("http://HOST:PORT")) << url;
    }
}

// A server that reads a request and breaks off without an answer, a number of times.
TEST_F(HttpServerTest, LetsTheClientRepeatOnlyWhatIsHarmless) {
    ServerOptions options;
    options.stop_grace = Duration{0};
    start(options);
    Client client(server_->url(), {.patience = seconds(1)});
    const auto lost = client.post("/drop", "{}", Repeat::never);
    EXPECT_FALSE(lost.has_value());
    EXPECT_EQ(requests_, 1);
    const auto repeated = client.post("/drop", "{}", Repeat::harmless);
    EXPECT_FALSE(repeated.has_value());
    EXPECT_GT(requests_, 2);
}

}  // namespace
}  // namespace weir::api
