#include "weir/api/metrics.hpp"

#include <fmt/core.h>

#include <string_view>

namespace weir::api {
namespace {

// Writes one metric after the other: its help and type once, then a line for every label set.
class Exposition {
public:
    void metric(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    void value(double number,
               std::initializer_list<std::pair<std::string_view, std::string_view>> labels = {}) {
        text_ += name_;
        char before = '{';
        for (const auto& [label, text] : labels) {
            text_ += fmt::format("{}{}=\"{}\"", before, label, escaped(text));
            before = ',';
        }
        if (labels.size() > 0) text_ += '}';
        text_ += fmt::format(" {}\n", number);
    }
    void whole(std::uint64_t number,
               std::initializer_list<std::pair<std::string_view, std::string_view>> labels = {}) {
        value(static_cast<double>(number), labels);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    static std::string escaped(std::string_view text) {
        std::string result;
        for (const char c : text) {
            if (c == '\\' || c == '"') result += '\\';
            if (c == '\n') {
                result += "\\n";
            } else {
                result += c;
            }
        }
        return result;
    }
    std::string name_;
    std::string text_;
};

double of_milli(std::uint64_t milli) {
    return static_cast<double>(milli) / 1000.0;
}

void add_pools(Exposition& out, const std::vector<hub::PoolView>& pools) {
    const auto each = [&](std::string_view name, std::string_view help, const auto& write) {
        out.metric(name, "gauge", help);
        for (const hub::PoolView& view : pools)
            write(view);
    };
    each("weir_pool_nodes",
         "Nodes of a pool: all, in service, without any job.",
         [&](const hub::PoolView& view) {
             out.whole(view.pool.nodes, {{"pool", view.pool.name}, {"is", "total"}});
             out.whole(view.free.nodes_up, {{"pool", view.pool.name}, {"is", "up"}});
             out.whole(view.free.nodes_idle, {{"pool", view.pool.name}, {"is", "idle"}});
         });
    each("weir_pool_chips", "Chips of a pool: all, free.", [&](const hub::PoolView& view) {
        out.whole(std::uint64_t{view.pool.nodes} * view.pool.chips_per_node,
                  {{"pool", view.pool.name}, {"is", "total"}});
        out.value(of_milli(view.free.chips_milli), {{"pool", view.pool.name}, {"is", "free"}});
    });
    each("weir_pool_cpus", "CPUs of a pool: all, free.", [&](const hub::PoolView& view) {
        out.value(of_milli(std::uint64_t{view.pool.nodes} * view.pool.cpus_milli),
                  {{"pool", view.pool.name}, {"is", "total"}});
        out.value(of_milli(view.free.cpus_milli), {{"pool", view.pool.name}, {"is", "free"}});
    });
    each("weir_pool_memory_bytes", "Memory of a pool: all, free.", [&](const hub::PoolView& view) {
        out.value(static_cast<double>(view.pool.memory.count) * view.pool.nodes,
                  {{"pool", view.pool.name}, {"is", "total"}});
        out.value(static_cast<double>(view.free.memory.count),
                  {{"pool", view.pool.name}, {"is", "free"}});
    });
    each("weir_pool_jobs_running",
         "Running jobs that have something in a pool.",
         [&](const hub::PoolView& view) {
             out.whole(view.jobs_running, {{"pool", view.pool.name}});
         });
}

}  // namespace

std::string metrics_text(const hub::Status& status,
                         const std::vector<hub::PoolView>& pools,
                         const ServerStats& server,
                         const std::string& version) {
    Exposition out;
    out.metric("weir_info", "gauge", "The version of the hub.");
    out.whole(1, {{"version", version}});
    out.metric("weir_start_time_seconds", "gauge", "When the hub started, since the epoch.");
    out.value(as_seconds(status.started_at.time_since_epoch()));
    out.metric("weir_jobs", "gauge", "Jobs that have not ended, by state.");
    out.whole(status.counts.held, {{"state", "held"}});
    out.whole(status.counts.pending, {{"state", "pending"}});
    out.whole(status.counts.running, {{"state", "running"}});
    const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        out.metric(name, "counter", help);
        out.whole(value);
    };
    counter("weir_jobs_accepted_total", "Jobs accepted.", status.jobs_accepted);
    counter("weir_jobs_ended_total", "Jobs that ended, whatever the outcome.", status.jobs_ended);
    counter("weir_decisions_total", "Starts, reservations and drops.", status.counts.decisions);
    counter("weir_journal_entries_total", "Entries of the journal.", status.journal_entries);
    counter("weir_commits_total", "Durable commits of the journal.", status.commits);
    out.metric("weir_commit_seconds_total", "counter", "Time spent in durable commits.");
    out.value(static_cast<double>(status.commit_microseconds_total) / 1e6);
    add_pools(out, pools);
    out.metric("weir_http_connections", "gauge", "Open connections, and those that stream events.");
    out.whole(server.connections, {{"is", "open"}});
    out.whole(server.streams, {{"is", "streaming"}});
    counter("weir_http_requests_total", "Requests.", server.requests);
    out.metric("weir_http_errors_total", "counter", "Answers that are errors, by whose they are.");
    out.whole(server.errors_client, {{"of", "client"}});
    out.whole(server.errors_server, {{"of", "server"}});
    counter("weir_http_streams_dropped_total",
            "Event streams closed because the client was slow.",
            server.streams_dropped);
    return out.take();
}

}  // namespace weir::api
