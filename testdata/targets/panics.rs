// A panic in every second call, caught two frames up.

// Keeps the optimiser from knowing a value; std::hint::black_box came with 1.66.
fn black_box<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}

struct Guard;
impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        black_box(0);
    }
}

#[inline(never)]
fn counts(i: u32) -> u32 {
    black_box(i) + 1
}

#[inline(never)]
fn fails(i: u32) -> u32 {
    if counts(i) % 2 == 0 {
        panic!("even");
    }
    black_box(i)
}

#[inline(never)]
fn passes(i: u32) -> u32 {
    let _guard = Guard;
    fails(i) + black_box(1)
}

#[inline(never)]
fn guarded(i: u32) -> bool {
    std::panic::catch_unwind(|| passes(i)).is_err()
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (0..20).filter(|&i| guarded(i)).count();
    assert_eq!(caught, 10);
}
