// LocalMover: datasets as files and folders, where every site has a root folder that can be reached
// from this machine: ROOT/era5-2020.
//
//     ROOT/NAME              a dataset, whole
//     ROOT/.weir/half/NAME   being copied; worth nothing after a crash
//     ROOT/.weir/whole/NAME  whole and about to be published by a rename
//     ROOT/.weir/gone/NAME.N being deleted
//
// What a job has made is moved by a rename where it lies on the same file system, else copied; a
// link stays behind. Each step leaves a state from which the next start knows how to go on.
//
// Threads: every public function from any thread. A few threads copy; moves and removals of one
// dataset at one site come one after the other, in the order in which they were asked for. The
// callback comes from those threads. The destructor breaks off what is being copied.
#pragma once

#include <memory>
#include <string>

#include "weir/base/result.hpp"
#include "weir/exec/mover.hpp"
#include "weir/fleet/fleet.hpp"

namespace weir::exec {

class LocalMover final : public Mover {
public:
    // The root of a site is what its storage says, made if it is missing (the error names the site
    // whose root cannot be had); else DATA_DIR/storage/SITE, made when something goes there.
    static Result<std::unique_ptr<LocalMover>> open(const fleet::Fleet& fleet,
                                                    const std::string& data_dir,
                                                    OnMoved on_moved);
    ~LocalMover() override;

    void begin(const Move& move) override;
    void remove(const std::string& dataset, const std::string& site) override;
    bool has(const std::string& dataset, const std::string& site) override;
    bool is_made(const std::string& path) override;
    [[nodiscard]] std::string folder_of(const std::string& site) const override;

private:
    class Impl;
    explicit LocalMover(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::exec
