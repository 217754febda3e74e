// How many durable submissions a hub takes, and how long each waits for its answer.
//
//     bench_submissions [--hub URL] [--clients 8] [--jobs 8000] [--batch 1] [--json]
//
// Each client is a thread with a connection of its own that submits one job after the other, as
// `weir submit` does; a submission counts when its answer has come, which is after the journal is
// on disk. All jobs wait for one that is submitted first and never ends by itself, so that what is
// measured is submitting and not running; it is cancelled in the end. Without --hub the program
// makes a hub of its own: the real one with its SQLite store, in a new folder under $WEIR_BENCH_DIR
// or the system's temporary folder, on an executor that starts nothing.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "weir/api/client.hpp"
#include "weir/api/service.hpp"
#include "weir/store/sqlite_store.hpp"

#include "bench/arguments.hpp"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string hub;
    std::size_t clients = 8;
    std::size_t jobs = 8000;
    std::size_t batch = 1;
    bool json = false;
};

[[noreturn]] void stop(const std::string& message) {
    fmt::print(stderr, "bench_submissions: {}\n", message);
    std::exit(2);
}

Options options_of(int count, char** arguments) {
    constexpr std::uint64_t most = 1'000'000;
    bench::Arguments given("bench_submissions", count, arguments);
    Options options;
    options.json = given.has("--json");
    options.hub = given.text("--hub", "");
    options.clients = given.number("--clients", options.clients, most);
    options.jobs = given.number("--jobs", options.jobs, most);
    options.batch = given.number("--batch", options.batch, most);
    given.no_more();
    return options;
}

// Everything it is given runs for ever.
class IdleExecutor : public exec::Executor {
public:
    Result<void> start(const exec::Launch&) override { return {}; }
    Result<void> stop(exec::AttemptId, const exec::Stop&) override { return {}; }
    exec::Found find(exec::AttemptId) override { return {}; }
    void forget(exec::AttemptId) override {}
};

// A hub in this process, and its folder, for as long as it is measured.
class OwnHub {
public:
    OwnHub() {
        const char* place = std::getenv("WEIR_BENCH_DIR");
        std::string folder = (place != nullptr ? std::string(place)
                                               : std::filesystem::temp_directory_path().string()) +
                             "/weir-bench-XXXXXX";
        if (mkdtemp(folder.data()) == nullptr) stop("cannot make " + folder);
        folder_ = folder;
        fleet::Fleet fleet;
        fleet.sites.push_back({.name = "local", .executor = "local", .power_watts = 0});
        fleet::Pool pool;
        pool.name = "main";
        pool.site = "local";
        pool.nodes = 1;
        pool.cpus_milli = 2000;
        fleet.pools.push_back(pool);
        store_ = need(store::SqliteStore::open(folder_ + "/weir.db"));
        hub::Options options;
        options.data_dir = folder_;
        hub_ = need(hub::Hub::open(options, fleet, *store_, executor_));
        api::ServerOptions server;
        server.listen = "127.0.0.1:0";
        service_ = api::Service::start(*hub_, {}, need(api::HttpServer::bind(server)));
    }
    ~OwnHub() {
        service_.reset();
        hub_.reset();
        store_.reset();
        std::filesystem::remove_all(folder_);
    }
    OwnHub(const OwnHub&) = delete;
    OwnHub& operator=(const OwnHub&) = delete;
    [[nodiscard]] std::string url() const { return service_->url(); }

private:
    template <class T>
    static T need(Result<T> result) {
        if (!result.has_value()) stop(result.error().message);
        return std::move(*result);
    }
    std::string folder_;
    IdleExecutor executor_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<hub::Hub> hub_;
    std::unique_ptr<api::Service> service_;
};

std::string body_of(std::size_t jobs, const std::string& text) {
    std::string body = R"({"user":"bench","workdir":"/tmp","jobs":[)";
    for (std::size_t i = 0; i < jobs; ++i) {
        if (i > 0) body += ',';
        body += R"({"format":"yaml","text":")" + text + "\"}";
    }
    return body + "]}";
}

double milliseconds_at(const std::vector<double>& sorted, double share) {
    const auto position = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(position, sorted.size() - 1)];
}

}  // namespace

int main(int count, char** arguments) {
    const Options options = options_of(count, arguments);
    std::unique_ptr<OwnHub> own;
    if (options.hub.empty()) own = std::make_unique<OwnHub>();
    const std::string url = own ? own->url() : options.hub;

    const std::string gate = fmt::format("bench-gate-{}", Clock::now().time_since_epoch().count());
    api::Client control(url);
    const auto opened = control.post(
        "/v1/jobs", body_of(1, "name: " + gate + R"(\nrun: sleep 100000\ngang: {cpus: 0.1}\n)"));
    if (!opened.has_value()) stop(opened.error().message);

    const std::string body =
        body_of(options.batch, "name: bench\\nrun: exec true\\nafter: [" + gate + "]\\n");
    const std::size_t requests = (options.jobs + options.batch - 1) / options.batch;
    std::vector<std::vector<double>> latencies(options.clients);
    std::vector<std::string> problems(options.clients);
    std::vector<std::thread> clients;
    const auto begun = Clock::now();
    for (std::size_t i = 0; i < options.clients; ++i) {
        clients.emplace_back([&, i] {
            api::Client client(url);
            for (std::size_t n = i; n < requests; n += options.clients) {
                const auto sent = Clock::now();
                const auto reply = client.post("/v1/jobs", body);
                if (!reply.has_value()) {
                    problems[i] = reply.error().message;
                    return;
                }
                latencies[i].push_back(
                    std::chrono::duration<double, std::milli>(Clock::now() - sent).count());
            }
        });
    }
    for (std::thread& client : clients)
        client.join();
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    // The gate's end lets everything behind it go: what depends on its success never starts.
    const auto closed = control.post("/v1/jobs/" + gate + "/cancel", "");
    for (const std::string& problem : problems) {
        if (!problem.empty()) stop(problem);
    }
    if (!closed.has_value()) stop(closed.error().message);

    std::vector<double> all;
    for (const auto& each : latencies)
        all.insert(all.end(), each.begin(), each.end());
    std::sort(all.begin(), all.end());
    const std::size_t jobs = all.size() * options.batch;
    const double per_second = static_cast<double>(jobs) / seconds;
    const double p50 = milliseconds_at(all, 0.50);
    const double p99 = milliseconds_at(all, 0.99);
    if (options.json) {
        fmt::print(
            "{{\"clients\":{},\"jobs\":{},\"batch\":{},\"seconds\":{:.3f},"
            "\"per_second\":{:.1f},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}}}\n",
            options.clients,
            jobs,
            options.batch,
            seconds,
            per_second,
            p50,
            p99);
    } else {
        fmt::print(
            "{} jobs from {} clients, {} in a request: {:.2f} s, {:.0f} jobs/s, answer after "
            "{:.2f} ms (median), {:.2f} ms (99 %)\n",
            jobs,
            options.clients,
            options.batch,
            seconds,
            per_second,
            p50,
            p99);
    }
    return 0;
}
