// ServiceTest: a real hub (memory store) behind a real server, and a client. For tests only.
//
// Jobs run on an executor that starts nothing: the test writes their output and ends them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "weir/api/client.hpp"
#include "weir/api/service.hpp"
#include "weir/exec/executor.hpp"
#include "weir/store/memory_store.hpp"

namespace weir::api {

// Accepts everything; remembers what it was asked.
class QuietExecutor : public exec::Executor {
public:
    Result<void> start(const exec::Launch& launch) override {
        const std::lock_guard lock(mutex_);
        launches_[launch.attempt] = launch;
        return {};
    }
    Result<void> stop(exec::AttemptId attempt, const exec::Stop&) override {
        const std::lock_guard lock(mutex_);
        stops_.push_back(attempt);
        return {};
    }
    exec::Found find(exec::AttemptId) override { return {}; }
    void forget(exec::AttemptId) override {}

    // Waits until the attempt has been handed over.
    exec::Launch launch_of(exec::AttemptId attempt) {
        for (;;) {
            {
                const std::lock_guard lock(mutex_);
                const auto found = launches_.find(attempt);
                if (found != launches_.end()) return found->second;
            }
            std::this_thread::yield();
        }
    }

private:
    std::mutex mutex_;
    std::map<exec::AttemptId, exec::Launch> launches_;
    std::vector<exec::AttemptId> stops_;
};

class ServiceTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "weir-api-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        fleet::Fleet fleet;
        fleet.sites.push_back({.name = "local", .executor = "local", .power_watts = 0});
        fleet::Pool pool;
        pool.name = "main";
        pool.node_idle_watts = 100;
        pool.node_busy_watts = 500;
        pool.site = "local";
        pool.chip = "cpu";
        pool.nodes = 2;
        pool.chips_per_node = 4;
        pool.cpus_milli = 8000;
        pool.memory = gibibytes(32);
        fleet.pools.push_back(pool);
        hub::Options options;
        options.data_dir = folder_;
        auto opened = hub::Hub::open(options, fleet, store_, executor_);
        ASSERT_TRUE(opened.has_value()) << opened.error().message;
        hub_ = std::move(*opened);

        ServiceOptions service;
        service.facts = {.version = "9.9", .data_dir = folder_, .url = ""};
        service.doctor = [] {
            return std::vector<Check>{{"memory limits", CheckState::warn, "no"}};
        };
        service.rates = [](const fleet::Pool&) {
            return std::vector<Rate>{{"fp64", 1.5e12, "FLOP/s", "measured"}};
        };
        ServerOptions server;
        server.listen = "127.0.0.1:0";
        auto bound = HttpServer::bind(server);
        ASSERT_TRUE(bound.has_value()) << bound.error().message;
        service_ = Service::start(*hub_, service, std::move(*bound));
        client_ = std::make_unique<Client>(service_->url(), ClientOptions{.patience = seconds(0)});
    }

    void TearDown() override {
        service_.reset();
        hub_.reset();
        std::filesystem::remove_all(folder_);
    }

    [[nodiscard]] std::uint16_t port() const {
        const std::string url = service_->url();
        return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    }

    Result<std::string> get(const std::string& target) { return client_->get(target); }
    Result<std::string> post(const std::string& target, const std::string& body) {
        return client_->post(target, body);
    }

    // Ends the first attempt of a job after it wrote `output` on each rank.
    void run_job(std::uint64_t id, const std::string& output, int exit_code = 0) {
        const exec::Launch launch = executor_.launch_of({JobId(id), 1});
        write_output(launch, output);
        exec::AttemptEnd end;
        end.attempt = launch.attempt;
        end.exit_code = exit_code;
        end.max_rss = mebibytes(3);
        end.cpu = Duration{250};
        hub_->attempt_ended(end);
    }

    static void write_output(const exec::Launch& launch, const std::string& output) {
        for (const exec::Task& task : launch.tasks) {
            std::filesystem::create_directories(
                std::filesystem::path(task.stdout_path).parent_path());
            std::ofstream(task.stdout_path, std::ios::app) << output;
        }
    }

    std::string folder_;
    store::MemoryStore store_;
    QuietExecutor executor_;
    std::unique_ptr<hub::Hub> hub_;
    std::unique_ptr<Service> service_;
    std::unique_ptr<Client> client_;
};

}  // namespace weir::api
