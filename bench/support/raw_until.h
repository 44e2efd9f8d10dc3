// What a watcher of a raw loop waits for.
#pragma once

namespace bench::raw {

enum class Until { readable, writable };

}  // namespace bench::raw
