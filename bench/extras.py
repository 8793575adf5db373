def all_of(chosen):
    return {}
