"""Which tests hold rows 1 to 20 and 23 to 39 of the fault table: archives, tiles, trainings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROWS = {
    "1 to 3 archives that leave their folder, bombs, links": [
        "faults/test_rows_archive.py::test_rows_1_to_3_hostile_archives",
        "unit/core/test_archives.py::test_bombs_are_refused",
    ],
    "4 a zip that is cut, damaged or none": [
        "faults/test_rows_archive.py::test_row_4_damaged_zips",
    ],
    "5 an archive on a read-only share": [
        "faults/test_products_zips.py::test_an_archive_on_a_read_only_share_is_read_in_place",
    ],
    "6 and 7 hostile metadata, fields that lack or make no sense": [
        "faults/test_rows_archive.py::test_rows_6_and_7_metadata",
        "faults/test_products_damage.py::test_an_unknown_baseline_is_a_warning_with_its_offsets",
    ],
    "8 one reflectance whatever the baseline": [
        "unit/products/test_sentinel2.py::test_the_three_baselines_give_the_same_ground",
    ],
    "9 an image cut off": ["faults/test_rows_tiles.py::test_row_9_a_truncated_image"],
    "10 bits flipped in an image": [
        "faults/test_rows_tiles.py::test_row_10_flipped_bits_are_found_by_the_checksum",
        "scripts/test_step20.py::test_a_flipped_bit_is_found_by_verify_alone",
    ],
    "11 a damaged netCDF": ["faults/test_rows_tiles.py::test_row_11_a_damaged_netcdf"],
    "12 fill values, copies, saturation": [
        "faults/test_rows_tiles.py::test_row_12_a_swath_of_fill_values_gives_no_tile",
        "unit/products/test_sentinel3.py::test_fill_becomes_nan_and_never_detector_zero",
    ],
    "13 across the antimeridian, over the pole": [
        "faults/test_rows_archive.py::test_row_13_where_degrees_have_no_areas",
        "unit/geo/test_footprints.py::test_swath_over_the_pole_covers_a_tile_near_it",
    ],
    "14 no overlap, a sliver, an outline that crosses itself": [
        "faults/test_rows_archive.py::"
        "test_row_14_a_footprint_elsewhere_a_sliver_and_one_that_crosses_itself",
    ],
    "15 windows over midnight, month and year": [
        "scripts/test_step20.py::test_pairs_over_the_turn_of_the_year",
        "unit/preprocess/test_pairing.py::test_exactly_the_products_within_the_window_are_paired",
    ],
    "16 a KML that is no mask": [
        "faults/test_rows_tiles.py::"
        "test_row_16_a_mask_that_is_none_stops_before_anything_is_written",
        "unit/geo/test_masks.py::test_unusable_files_are_refused_by_name",
    ],
    "17 killed in the middle of a write": [
        "scripts/test_step20.py::test_a_crash_at_any_write_leaves_no_trace_after_a_rerun",
        "scripts/test_step30.py::test_a_crash_at_any_write_leaves_no_trace_after_a_rerun",
        "scripts/test_step40.py::test_a_crash_at_any_write_is_repaired_by_a_repeat",
        "scripts/test_step50.py::test_killed_on_the_way_and_repeated_with_two_workers",
    ],
    "18 a rerun, with other options too": [
        "scripts/test_step20.py::test_other_options_are_refused_with_the_difference",
        "scripts/test_step40.py::test_rerun_changes_nothing_and_says_so",
        "scripts/test_step40.py::"
        "test_other_options_are_refused_with_the_difference_and_force_removes_what_is_listed",
    ],
    "19 a worker is killed": [
        "faults/test_rows_tiles.py::test_row_19_a_worker_that_is_killed_twice_over_one_scene",
        "unit/core/test_parallel.py::test_workers_end_with_a_parent_that_was_killed",
    ],
    "20 a selection or a table that does not fit": [
        "faults/test_rows_tiles.py::test_row_20_a_selection_that_does_not_fit",
        "unit/preprocess/test_inventory_file.py::"
        "test_a_spreadsheet_with_bom_semicolons_commas_and_crlf_is_read",
        "unit/config/test_config.py::test_selection_reports_all_problems",
    ],
    "23 model_name is a path, a module of others, a module without GAN": [
        "faults/test_model_loading.py::test_a_name_is_never_a_path",
        "faults/test_model_loading.py::test_helper_modules_are_refused",
        "faults/test_model_loading.py::test_an_import_error_is_shown_as_itself_with_its_line",
        "faults/test_model_loading.py::test_what_a_module_lacks_is_named_with_and_without_running_it",
    ],
    "24 TFRecord cut within a record, at its border, or flipped": [
        "faults/test_records.py::test_damaged_files_are_seen_before_training",
        "faults/test_records.py::test_a_cut_record_is_named_when_read",
    ],
    "25 compressed TFRecord": ["faults/test_records.py::test_no_record_file_is_compressed"],
    "26 skipping of bad records is not offered": [
        "faults/test_records.py::test_garbage_is_no_record",
        "faults/test_records.py::test_a_lost_record_is_written_again",
    ],
    "27 record of another form": [
        "faults/test_records.py::test_a_record_of_another_form_is_named",
    ],
    "28 a NaN in a tile, a loss or a weight": [
        "unit/preprocess/test_tfrecords.py::test_tiles_with_nan_are_refused_by_name_in_every_data_set",
        "faults/test_checkpoints_resume.py::test_a_nan_stops_the_run_with_step_and_tiles_and_keeps_the_last_checkpoint",
        "faults/test_checkpoints_resume.py::test_a_model_without_losses_is_stopped_before_a_bad_checkpoint",
    ],
    "29 ground in two splits, an empty split, fewer samples than a batch": [
        "unit/dataset/test_splits.py::test_tiles_of_two_splits_never_share_ground",
        "unit/dataset/test_splits.py::test_an_empty_split_is_an_error_with_advice_that_works",
        "faults/test_records.py::test_fewer_samples_than_a_batch_still_fill_it",
    ],
    "30 kill -9 during a save": [
        "faults/test_checkpoints.py::test_a_crash_at_any_write_of_a_save_keeps_the_previous_checkpoint",
        "faults/test_checkpoints.py::test_leftovers_of_a_killed_save_are_swept",
        "faults/test_killed_anywhere.py::test_killed_at_a_moment_and_resumed_nothing_tells_of_it",
    ],
    "31 newest checkpoint damaged": [
        "faults/test_checkpoints.py::test_a_damaged_newest_falls_back_loudly_and_is_moved_aside",
        "faults/test_checkpoints_resume.py::test_a_damaged_newest_checkpoint_costs_steps_not_the_run",
    ],
    "32 TensorFlow's pointer file; never step 0 over checkpoints": [
        "faults/test_checkpoints.py::test_tensorflows_own_pointer_file_is_not_believed",
        "faults/test_checkpoints.py::test_when_all_are_damaged_training_refuses_to_start_anew",
        "faults/test_checkpoints_resume.py::test_a_new_run_never_starts_over_checkpoints",
    ],
    "33 checkpoint of another architecture, or with fewer variables": [
        "faults/test_checkpoints.py::test_another_architecture_is_refused_with_the_differences",
        "faults/test_checkpoints.py::test_fewer_variables_than_stored_are_refused",
    ],
    "34 a resumed run is the uninterrupted one": [
        "faults/test_checkpoints_resume.py::test_three_and_three_steps_equal_six",
        "faults/test_epochs_resume.py::test_killed_in_the_middle_of_two_epochs_it_ends_as_if_undisturbed",
        "faults/test_patience.py::test_patience_ends_a_run_at_the_same_step_however_it_was_resumed",
        "scripts/test_train.py::test_a_killed_run_resumes_and_ends_with_the_weights_of_an_undisturbed_one",
    ],
    "35 a signal, and a second one, in any phase": [
        "faults/test_interrupts.py::test_the_first_signal_lets_the_step_finish",
        "faults/test_interrupts.py::test_the_second_signal_stops_at_once",
        "faults/test_stopped_anywhere.py::test_a_signal_in_any_phase_ends_the_run_with_all_that_was_done",
    ],
    "36 disk full at a write": [
        "faults/test_checkpoints.py::test_a_full_disk_is_one_line_and_keeps_the_previous_checkpoint",
        "faults/test_stopped_anywhere.py::test_a_disk_that_is_full_at_any_write_costs_no_checkpoint",
    ],
    "37 two processes on one folder, two runs of one minute": [
        "faults/test_interrupts.py::test_a_folder_in_use_is_refused_with_process_and_host",
        "faults/test_interrupts.py::test_a_lock_of_a_dead_process_is_taken_over",
        "unit/core/test_basics.py::test_latest_run_comes_from_run_json_not_from_the_name",
    ],
    "38 a step that is traced anew": [
        "unit/training/test_loop.py::test_a_model_that_traces_anew_is_noticed",
    ],
    "39 no GPU, memory full": [
        "unit/training/test_run_file.py::test_a_missing_gpu_is_named_only_where_one_is_required",
        "faults/test_checkpoints_resume.py::test_a_full_memory_is_one_line_with_a_batch_size_to_try",
        "unit/training/test_loop.py::test_memory_running_out_proposes_half_the_batch",
        "unit/training/test_memory.py::test_memory_that_runs_out_before_a_step_or_at_a_look_is_one_line",
    ],
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row):
    for name in ROWS[row]:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, name
